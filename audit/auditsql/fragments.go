package auditsql

// fragments in their order for ever.
var fragments = [...]string{
	`{"act":{"c":"R","v":"`, `{"act":{"c":"U","v":"`, `{"act":{"c":"C","v":"`, `{"act":{"c":"E","v":"`, `{"act":{"c":"D","v":"`,
	`"},"cli":{"dev":"`, `","ip":{"$c":"`, `"}},"cor":{"req":"`, `"},"cor":{"req":"`, `"},"dec":{"policy":"`, `"},"dec":{"rule":"`,
	`","rule":"`, `","scope":"`, `"},"id":"`, `","obj":[{"cat":"`, `","obj":[{"id":"`, `","id":"`, `","t":"`, `"}],"out":{"c":0},"pat":["`,
	`"}],"out":{"c":0},"rec":"`, `"],"pou":"TREAT","rec":"`, `"],"rec":"`, `","srv":{"id":"`,
	// From here on with two bytes.
	`"},"ten":"`, `","ten":"`, `","v":1,"who":{"aal":2,"at":"`, `","v":1,"who":{"aal":1,"at":"`, `","v":1,"who":{"id":"`, `","v":1,"who":{"k":"`,
	`","k":"staff"`, `","k":"patient"`, `","k":"system"}}`, `,"m":["pwd","otp"],"role":["`, `,"m":["pwd","otp"]`, `,"sess":"`, `"],"sess":"`, `"}}`, `"]}}`,
	`"},"cli":{"app":"`, `","dev":"`, `"},"cli":{"ip":{"$c":"`, `"}},"id":"`, `","loc":"`, `"},"clk":{"err_us":`, `,"sync":true},"`, `"},"chg":[{"`, `","tr":"`,
	`"},"dec":{"grant":"`, `","policy":"`, `","mask":"`, `"},"det":{"`, `"},"dis":{"`, `","fld":["`, `","obj":[{"fld":["`, `"],"id":"`, `","lbl":["`,
	`","org":"`, `","ver":"`, `"},{"cat":"`, `"},{"id":"`, `","occ":{"s":"`, `"}],"occ":{"s":"`, `"},"out":{"c":0},"rec":"`, `","out":{"c":0},"rec":"`, `","out":{"c":0},"pat":["`,
	`"}],"out":{"c":8,"why":"`, `"},"out":{"c":8,"why":"`, `","out":{"c":8,"why":"`, `"}],"out":{"c":4,"why":"`, `"},"pat":["`, `"},"pou":"`, `"],"pou":"`, `"],"qry":{"$c":"`,
	`"},"rec":"`, `","site":"`, `","phr":true`, `,"why":{"$c":"`, `"},"why":{"$c":"`, `","aal":`, `,"id":"`, `"obj":[{"t":"`, `"},"srv":{"id":"`, `","m":["`, `","role":["`,
	`","of":"`, `","em":"`, `"}],"`, `":"`, `","`, `"},"`,
}

// fragmentsBy are the numbers of the fragments by their first letter, 0 for those without one,
// the longest first.
var fragmentsBy = [128]string{
	0:   "\x56\x25\x59\x24\x57\x58",
	'a': "\x00\x01\x02\x03\x04\x4e",
	'c': "\x28\x2b\x07\x05\x08\x26\x2d\x3a",
	'd': "\x09\x2f\x0a\x32\x33\x27",
	'e': "\x55",
	'f': "\x34",
	'i': "\x06\x29\x3b\x0d\x36\x10\x4f",
	'k': "\x1f\x1e\x1d",
	'l': "\x37\x2a",
	'm': "\x20\x21\x31\x52",
	'o': "\x12\x13\x3e\x40\x41\x44\x3f\x42\x43\x35\x0e\x0f\x3d\x3c\x50\x38\x54",
	'p': "\x14\x30\x4b\x45\x46\x47",
	'q': "\x48",
	'r': "\x53\x0b\x15\x49",
	's': "\x51\x16\x2c\x0c\x23\x4a\x22",
	't': "\x17\x18\x2e\x11",
	'v': "\x19\x1a\x1b\x1c\x39",
	'w': "\x4d\x4c",
}
