package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
)

// A document is a JSON file, of which single members are read and changed.
type document struct {
	path string
	root any
}

func readDocument(path string) (document, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return document{}, err
	}
	d := document{path: path}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&d.root); err != nil {
		return d, fmt.Errorf("read %s: %w", path, err)
	}
	return d, nil
}

func (d document) get(at ...any) (any, error) {
	here := d.root
	for i, step := range at {
		switch key := step.(type) {
		case string:
			m, _ := here.(map[string]any)
			here = m[key]
		case int:
			list, _ := here.([]any)
			if key >= len(list) {
				list = make([]any, key+1)
			}
			here = list[key]
		}
		if here == nil {
			return nil, fmt.Errorf("%s: expected a member %v, got none", d.path, at[:i+1])
		}
	}
	return here, nil
}

// set replaces a member that is there.
func (d document) set(to any, at ...any) error {
	if _, err := d.get(at...); err != nil {
		return err
	}
	parent, err := d.get(at[:len(at)-1]...)
	if err != nil {
		return err
	}
	switch key := at[len(at)-1].(type) {
	case string:
		parent.(map[string]any)[key] = to //nolint:forcetypeassert // get went through it
	case int:
		parent.([]any)[key] = to //nolint:forcetypeassert // get went through it
	}
	return nil
}

func (d document) text(at ...any) (string, error) {
	v, err := d.get(at...)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s: %v: expected a string, got %T", d.path, at, v)
	}
	return s, nil
}

func (d document) bytes(at ...any) ([]byte, error) {
	s, err := d.text(at...)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %v: %w", d.path, at, err)
	}
	return b, nil
}

func (d document) setBytes(to []byte, at ...any) error {
	return d.set(base64.StdEncoding.EncodeToString(to), at...)
}

// write puts the document on one line, with a line feed, as trusted roots need it.
func (d document) write(path string) error {
	b, err := json.Marshal(d.root)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}
