package e2e_test

import "strings"

// tells names the secret of the stage that a text tells, line by line, if any.
func (s *story) tells(text string) (string, error) {
	secrets, err := s.Secrets()
	if err != nil {
		return "", err
	}
	for name, secret := range secrets {
		for line := range strings.Lines(string(secret)) {
			line = strings.TrimSpace(line)
			if len(line) > 7 && !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
				return name, nil
			}
		}
	}
	return "", nil
}
