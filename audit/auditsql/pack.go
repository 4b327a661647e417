package auditsql

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Canonical bytes are stored in a shorter form. Bytes that cannot occur in them, control
// characters and those that UTF-8 does not use, stand for frequent fragments, for what the row
// has in other columns, and for values that have a binary form. The first byte says which form
// it is. What was packed with a form is unpacked with it for ever: neither the table of
// fragments nor the meaning of a byte changes; a better one gets another number.
const (
	packedRaw   = 0 // the bytes themselves follow
	packedTable = 1
)

// What stands for a value.
const (
	tokenID       = 0x01 // the row's ID
	tokenRecorded = 0x02 // the row's time
	tokenTenant   = 0x03 // the row's tenant
	tokenUUID     = 0x04 // 16 bytes follow
	tokenHash     = 0x05 // 32 bytes follow, base64 in the text
	tokenTime     = 0x06 // 8 bytes follow, microseconds
	tokenHex      = 0x07 // a length and so many bytes follow
	tokenFirst    = 0x08 // fragments, up to 0x1e
	tokenMore     = 0x1f // the number of a fragment follows
)

// packContext is what a row has beside its body.
type packContext struct {
	tenant   string
	id       []byte
	recorded int64
}

// timeLayout is that of canonical bytes.
const timeLayout = "2006-01-02T15:04:05.000000Z"

func (c *packContext) appendTime(out []byte) []byte {
	return sqlkit.Time(c.recorded).AppendFormat(out, timeLayout)
}

// appendTenant appends the tenant as JSON has it.
func (c *packContext) appendTenant(out []byte) []byte {
	for i := range len(c.tenant) {
		if c.tenant[i] == '"' || c.tenant[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, c.tenant[i])
	}
	return out
}

// plain reports whether a byte can stand for itself.
func plain(b byte) bool {
	return b >= 0x20 && b != 0x7f && b != 0xc0 && b != 0xc1 && b < 0xf5
}

// pack shortens canonical bytes. Any bytes come back as they were.
func pack(body []byte, c packContext) []byte {
	for _, b := range body {
		if !plain(b) {
			return append([]byte{packedRaw}, body...)
		}
	}
	p := packer{body: body, out: append(make([]byte, 0, len(body)/2+64), packedTable)}
	p.known = [3]string{idText(c.id), string(c.appendTime(nil)), string(c.appendTenant(nil))}
	for p.at < len(body) {
		if !p.fragment() && !p.value() {
			p.out = append(p.out, body[p.at])
			p.at++
		}
	}
	return p.out
}

type packer struct {
	body, out []byte
	at        int
	known     [3]string // ID, time, tenant
}

// fragment packs the longest fragment that begins here.
func (p *packer) fragment() bool {
	b := p.body[p.at:]
	if !isPunctuation(b[0]) {
		return false
	}
	letter := 1
	for letter < len(b) && isPunctuation(b[letter]) {
		letter++
	}
	if letter < len(b) && b[letter] < 128 && p.oneOf(b, fragmentsBy[b[letter]]) {
		return true
	}
	return p.oneOf(b, fragmentsBy[0])
}

func isPunctuation(b byte) bool {
	return b == '"' || b == ',' || b == ':' || b == '{' || b == '}' || b == '[' || b == ']'
}

// oneOf packs the first of these fragments that b begins with.
func (p *packer) oneOf(b []byte, list string) bool {
	for i := range len(list) {
		n := int(list[i])
		f := fragments[n]
		if len(f) > len(b) || string(b[:len(f)]) != f {
			continue
		}
		if n < tokenMore-tokenFirst {
			p.out = append(p.out, byte(tokenFirst+n))
		} else {
			p.out = append(p.out, tokenMore, byte(n))
		}
		p.at += len(f)
		return true
	}
	return false
}

// value packs the value that begins here, at the beginning of a text or behind a separator.
func (p *packer) value() bool {
	b := p.body[p.at:]
	if p.at == 0 || isWord(p.body[p.at-1]) || !isWord(b[0]) {
		return false
	}
	if p.body[p.at-1] == '"' {
		for i, text := range p.known {
			if text != "" && len(text) < len(b) && string(b[:len(text)]) == text && b[len(text)] == '"' {
				p.out = append(p.out, byte(tokenID+i))
				p.at += len(text)
				return true
			}
		}
	}
	return p.uuid(b) || p.time(b) || p.hash(b) || p.hex(b)
}

func isWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '+' || b == '/'
}

func (p *packer) uuid(b []byte) bool {
	if len(b) < 36 || b[8] != '-' || b[13] != '-' {
		return false
	}
	id, ok := idBytes(string(b[:36]))
	if ok {
		p.out = append(append(p.out, tokenUUID), id...)
		p.at += 36
	}
	return ok
}

func (p *packer) time(b []byte) bool {
	if len(b) < len(timeLayout) || b[10] != 'T' || b[26] != 'Z' {
		return false
	}
	text := string(b[:len(timeLayout)])
	t, err := time.Parse(timeLayout, text)
	if err != nil || time.UnixMicro(t.UnixMicro()).UTC().Format(timeLayout) != text {
		return false
	}
	p.out = binary.BigEndian.AppendUint64(append(p.out, tokenTime), uint64(t.UnixMicro()))
	p.at += len(timeLayout)
	return true
}

func (p *packer) hash(b []byte) bool {
	if len(b) < 44 || b[43] != '=' {
		return false
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(string(b[:44]))
	if err != nil || len(sum) != 32 {
		return false
	}
	p.out = append(append(p.out, tokenHash), sum...)
	p.at += 44
	return true
}

func (p *packer) hex(b []byte) bool {
	n := 0
	for n < len(b) && n < 128 && (b[n] >= '0' && b[n] <= '9' || b[n] >= 'a' && b[n] <= 'f') {
		n++
	}
	n &^= 1
	if n < 8 {
		return false
	}
	p.out = append(p.out, tokenHex, byte(n/2))
	p.out, _ = hex.AppendDecode(p.out, b[:n]) // these are its digits
	p.at += n
	return true
}
