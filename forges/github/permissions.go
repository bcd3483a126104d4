package github

// Permissions are what the gate asks of the App's installations, by name and level: for
// who looks whether an installation has them.
func Permissions() map[string]string { return minimum() }
