package recert

import "strings"

// appendRow appends a record of RFC 4180.
func appendRow(dst []byte, row []string) []byte {
	for i, cell := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		cell = safeCell(cell)
		if !strings.ContainsAny(cell, "\",\r\n") {
			dst = append(dst, cell...)
			continue
		}
		dst = append(dst, '"')
		dst = append(dst, strings.ReplaceAll(cell, `"`, `""`)...)
		dst = append(dst, '"')
	}
	return append(dst, "\r\n"...)
}

// safeCell keeps a spreadsheet from computing what is only text: an apostrophe stands before what
// begins like a formula, in the full-width forms too that some programs fold.
func safeCell(cell string) string {
	for _, sign := range []string{"=", "+", "-", "@", "|", "%", "\t", "\r", "\n", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(cell, sign) {
			return "'" + cell
		}
	}
	return cell
}
