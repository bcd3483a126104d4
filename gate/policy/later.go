package policy

// Later are the parts of the format that this version refuses, with what they will say.
func Later() []Field {
	doc := map[string]string{
		"break_glass": "Who may release in an emergency, and who is told.",
		"chatops":     "Other spellings of the commands in comments.",
		"uses":        "A reusable workflow that signs, pinned to a commit.",
		"finish":      "The workflow that may collect what another one asked for.",
		"checks":      "Other checks that must have passed.",
		"bind":        "Approvals of a commit instead of a request.",
		"formats":     "Which forms of signature are made; today it is Sigstore bundles over DSSE.",
	}
	var out []Field
	for _, name := range laterInFile() {
		out = append(out, Field{Path: name, Doc: doc[name]})
	}
	for _, name := range laterInRelease() {
		out = append(out, Field{Path: "releases[]." + name, Doc: doc[name]})
	}
	return append(out, Field{Path: "releases[].approvals[].from: [team:…]", Doc: "Approvals from a team."})
}
