package mfa

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

const (
	phoneMark = "[phone number]"
	minPhone  = 8  // digits with the country's code; shorter ones are services, not people
	maxPhone  = 15 // digits (ITU-T E.164, section 6.2.1)
)

// Phone is a telephone number in the form of ITU-T E.164. It prints as "[phone number]"; only
// Reveal returns it.
type Phone struct {
	reveal func() string // behind a function, because formatting looks into unexported fields
}

// ParsePhone reads a number that somebody typed: "+" and 8 to 15 digits, the country's code
// first; spaces, dots, dashes and brackets do not matter. Everything else is ErrNumber: what has
// no "+", other digits than 0 to 9, extensions, codes of no country (satellites, shared-cost and
// premium services), and in the North American plan what is no subscriber's number (an area code
// or an exchange that begins with 0 or 1 or ends in 11, toll-free, premium and personal numbers).
func ParsePhone(typed string) (Phone, error) {
	if len(typed) > 4*maxPhone {
		return Phone{}, ErrNumber
	}
	s := strings.NewReplacer(" ", "", ".", "", "-", "", "(", "", ")", "").Replace(typed)
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) < minPhone || len(digits) > maxPhone || !isDigits(digits) {
		return Phone{}, ErrNumber
	}
	code := callingCode(digits)
	if code == "" || code == "1" && !subscriber(digits[1:]) {
		return Phone{}, ErrNumber
	}
	return phoneOf(s), nil
}

func phoneOf(s string) Phone { return Phone{reveal: func() string { return s }} }

// Reveal returns the number: "+" and digits. The zero Phone has none, "".
func (p Phone) Reveal() string {
	if p.reveal == nil {
		return ""
	}
	return p.reveal()
}

// Hint returns what may be shown of the number: its last two digits, as "•• 23".
func (p Phone) Hint() string {
	s := p.Reveal()
	if s == "" {
		return ""
	}
	return "•• " + s[len(s)-2:]
}

// prefix is the range of numbers that share a budget: the country's code and three digits more,
// in North America the area code.
func (p Phone) prefix() string {
	s := p.Reveal()
	return s[:min(len(s), 1+len(callingCode(s[1:]))+3)]
}

// in reports whether one of these regions allows the number. "+1" is the United States and Canada
// without the islands that share their code, which have to be named ("+1876").
func (p Phone) in(regions []string) bool {
	s := p.Reveal()
	return slices.ContainsFunc(regions, func(region string) bool {
		if region == "+1" && elsewhere(s) {
			return false
		}
		return region != "" && strings.HasPrefix(s, region)
	})
}

// isRegion reports whether s is a "+" with a country's code and perhaps further digits.
func isRegion(s string) bool {
	digits, ok := strings.CutPrefix(s, "+")
	return ok && len(digits) < minPhone && isDigits(digits) && callingCode(digits) != ""
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// callingCode returns the country's code that digits begin with, "" where there is none: it is not
// assigned, or to no country but to satellites, premium and shared-cost services (800, 87x, 88x,
// 979 …), where fraud with text messages earns most. Source: the list of codes assigned under
// ITU-T E.164, section 6.2.3; an "x" stands for any digit.
func callingCode(digits string) string {
	const (
		two   = " 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 "
		three = " 211 212 213 216 218 22x 23x 24x 250 251 252 253 254 255 256 257 258 26x 290 291 297 298 299 35x 37x 380 381 382 383 385 386 387 389 " +
			"420 421 423 50x 59x 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 " +
			"850 852 853 855 856 880 886 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 992 993 994 995 996 998 "
	)
	has := func(list, code string) bool { return strings.Contains(list, " "+code+" ") }
	switch {
	case digits == "":
		return ""
	case digits[0] == '1' || digits[0] == '7':
		return digits[:1]
	case len(digits) >= 2 && has(two, digits[:2]):
		return digits[:2]
	case len(digits) >= 3 && (has(three, digits[:3]) || has(three, digits[:2]+"x")):
		return digits[:3]
	}
	return ""
}

// subscriber reports whether ten digits can be a subscriber's number in the North American
// Numbering Plan: area code and exchange are N[0-8]X and NXX with N from 2 and neither ends in
// 11 (ATIS-0300051), and the area code is a place's: 5xx codes with two equal last digits, 52x,
// 53x, 600, 700, 710, 900, 8xx toll-free ones and those kept free are not.
func subscriber(national string) bool {
	if len(national) != 10 || national[0] < '2' || national[3] < '2' || national[1] == '9' {
		return false
	}
	area, exchange := national[:3], national[3:6]
	if area[1:] == "11" || exchange[1:] == "11" {
		return false
	}
	const nowhere = " 500 521 522 523 524 525 526 527 528 529 532 533 535 538 542 543 544 545 546 547 549 550 552 553 554 556 558 566 569 577 578 588 589 " +
		"600 622 633 644 655 677 688 700 710 800 822 833 844 855 866 877 880 881 882 883 884 885 886 887 888 889 900 "
	return !strings.Contains(nowhere, " "+area+" ")
}

// elsewhere reports whether a number of the North American plan belongs to neither the United
// States' fifty states and their capital nor Canada: Caribbean and Pacific islands, where a
// message may cost many times as much.
func elsewhere(number string) bool {
	const islands = " 242 246 264 268 284 340 345 441 473 649 658 664 670 671 684 721 758 767 784 787 809 829 849 868 869 876 939 "
	return len(number) >= 5 && strings.HasPrefix(number, "+1") && strings.Contains(islands, " "+number[2:5]+" ")
}

// String returns "[phone number]".
func (p Phone) String() string { return phoneMark }

// GoString returns "[phone number]".
func (p Phone) GoString() string { return phoneMark }

// Format writes "[phone number]" for every verb.
func (p Phone) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(phoneMark)) }

// LogValue returns "[phone number]".
func (p Phone) LogValue() slog.Value { return slog.StringValue(phoneMark) }

// MarshalJSON returns "[phone number]" as a JSON string.
func (p Phone) MarshalJSON() ([]byte, error) { return json.Marshal(phoneMark) }

// MarshalText returns "[phone number]".
func (p Phone) MarshalText() ([]byte, error) { return []byte(phoneMark), nil }
