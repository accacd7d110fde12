// Package member is how optional members of AWS's shapes become plain values and back, the same in every front.
package member

// Text is a string, empty when absent.
func Text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Some is the way out of a string that is left out when empty.
func Some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Number is an optional number as a plain integer.
func Number(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

// True reports whether a switch is there and on.
func True(b *bool) bool { return b != nil && *b }

// List is a list that changes something by being there, empty or not.
func List(l []string) *[]string {
	if l == nil {
		return nil
	}
	return &l
}

// Present is a list that is shown even when it is empty.
func Present(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
