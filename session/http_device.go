package session

import "strings"

// DeviceLabel turns a User-Agent header into a short label such as "Firefox on Windows" by
// which a person recognises a session. It is a hint, never evidence, and too coarse to be a
// fingerprint. What it does not know is "Unknown device".
func DeviceLabel(userAgent string) string {
	if len(userAgent) > 512 {
		userAgent = userAgent[:512]
	}
	b, s := browser(userAgent), system(userAgent)
	switch {
	case b == "" && s == "":
		return "Unknown device"
	case b == "":
		return s
	case s == "":
		return b
	}
	return b + " on " + s
}

// browser looks for the more specific name first: Edge and Opera call themselves Chrome,
// Chrome calls itself Safari.
func browser(userAgent string) string {
	return match(userAgent, [][2]string{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	})
}

// system looks for Android before Linux, and for iPhone before Mac OS, for the same reason.
func system(userAgent string) string {
	return match(userAgent, [][2]string{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	})
}

func match(s string, names [][2]string) string {
	for _, n := range names {
		if strings.Contains(s, n[0]) {
			return n[1]
		}
	}
	return ""
}
