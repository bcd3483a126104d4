package githubtest

// classified reports whether the delivery belongs to an outcome as GitHub classifies it
// (API description, parameter webhook-delivery-status): "success" is 200 to 399, "failure"
// 400 to 599. What never got an answer is neither. Every outcome where want is empty.
func (d *delivery) classified(want string) bool {
	switch want {
	case "success":
		return d.status >= 200 && d.status <= 399
	case "failure":
		return d.status >= 400 && d.status <= 599
	}
	return true
}
