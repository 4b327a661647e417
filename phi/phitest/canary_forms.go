package phitest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"mime/quotedprintable"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

// add looks for v in every form in which it could have been written.
func (c *Canary) add(label, v string) {
	for _, spelling := range []string{norm.NFC.String(v), norm.NFD.String(v), v} {
		c.addText(label, spelling)
		c.addEscaped(label, spelling)
		c.addEncoded(label, spelling)
	}
	if day, err := time.Parse(time.DateOnly, v); err == nil {
		for _, layout := range []string{"20060102", "01/02/2006", "1/2/2006", "02.01.2006", "2.1.2006", "2 January 2006", "January 2, 2006", "02-Jan-2006", "2006/01/02"} {
			c.addText(label+" as a date", day.Format(layout))
		}
		c.addText(label+" as a date", day.Format("{2006 1 2}"))
		c.addText(label+" as a date", day.Format("Year:2006 Month:1 Day:2"))
	}
	if digits := digitsOnly(v); len(digits) >= 9 {
		c.put(label+" as bare digits", digits, true)
	}
}

// put adds a needle, unless it is too short to mean anything or there already.
func (c *Canary) put(label, text string, fold bool) {
	n := needle{label, []byte(text), fold}
	if fold {
		n.text = bytes.ToLower(n.text)
	}
	id := fmt.Sprint(fold, string(n.text))
	if len(text) < minValue || c.known[id] {
		return
	}
	c.known[id] = true
	c.needles = append(c.needles, n)
}

func (c *Canary) addText(label, v string) {
	c.put(label+" in clear", v, true)
	c.put(label+" as UTF-16, little-endian", utf16Form(v, binary.LittleEndian), true)
	c.put(label+" as UTF-16, big-endian", utf16Form(v, binary.BigEndian), true)
	c.put(label+" as hexadecimal", hex.EncodeToString([]byte(v)), true)
}

// addEscaped adds what programs make of v's special characters.
func (c *Canary) addEscaped(label, v string) {
	if js, err := json.Marshal(v); err == nil {
		c.put(label+" as JSON", strings.Trim(string(js), `"`), true)
	}
	c.put(label+" as JSON in ASCII", strings.Trim(strconv.QuoteToASCII(v), `"`), true)
	c.put(label+" as a Go string", strings.Trim(strconv.Quote(v), `"`), true)
	c.put(label+" as HTML", html.EscapeString(v), true)
	var x strings.Builder
	_ = xml.EscapeText(&x, []byte(v)) // a Builder does not fail
	c.put(label+" as XML", x.String(), true)
	c.put(label+" as an SQL literal", strings.ReplaceAll(v, "'", "''"), true)
	c.put(label+" with backslashes", strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`).Replace(v), true)
	c.put(label+" in octal", octal(v), true)
}

func (c *Canary) addEncoded(label, v string) {
	c.put(label+" in a URL", url.QueryEscape(v), true)
	c.put(label+" in a URL path", url.PathEscape(v), true)
	for i, form := range base64Forms(v) {
		c.put(fmt.Sprintf("%s as Base64, form %d", label, i), form, false)
	}
	var mail strings.Builder
	w := quotedprintable.NewWriter(&mail)
	_, _ = w.Write([]byte(v)) // a Builder does not fail
	_ = w.Close()
	c.put(label+" as quoted-printable", mail.String(), true)
}

// octal is how PostgreSQL's escape format writes bytea.
func octal(v string) string {
	var b strings.Builder
	for _, c := range []byte(v) {
		if c < 0x20 || c > 0x7e {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// base64Forms returns what of v's Base64 does not depend on what surrounds it, for each of
// the three ways it can fall onto groups of three bytes and both alphabets.
func base64Forms(v string) []string {
	var forms []string
	for shift := range 3 {
		b := append(make([]byte, shift), v...)
		skip := (shift*8 + 5) / 6
		keep := len(b) * 8 / 6
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, e.EncodeToString(b)[skip:keep])
		}
	}
	return forms
}

func utf16Form(v string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(v)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func digitsOnly(v string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case unicode.IsLetter(r):
			return 'x' // not a number: keeps "Room 12, 555…" from becoming one
		}
		return -1
	}, v)
}
