package mfa

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"
)

const (
	quiet  = 4 // modules of white around the symbol (ISO/IEC 18004)
	pixels = 6 // per module in the PNG
)

// PNG returns the QR code of an otpauth URI as a black and white PNG with a quiet zone, some
// 300 to 400 pixels wide. The picture is as secret as the key: serve it inside the page (a
// data URI) or with Cache-Control: no-store. A text that ParseURI refuses is ErrURI.
func PNG(uri string) ([]byte, error) {
	dark, size, err := modules(uri)
	if err != nil {
		return nil, err
	}
	side := (size + 2*quiet) * pixels
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if dark(x/pixels-quiet, y/pixels-quiet) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return nil, errors.New("mfa: encoding a QR code")
	}
	return out.Bytes(), nil
}

// SVG returns the QR code of an otpauth URI as an SVG element to put into a page: black on
// white with a quiet zone, without a size of its own, a title or an id. It is as secret as the
// key. A text that ParseURI refuses is ErrURI.
func SVG(uri string) (string, error) {
	dark, size, err := modules(uri)
	if err != nil {
		return "", err
	}
	side := strconv.Itoa(size + 2*quiet)
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + side + ` ` + side +
		`" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h` + side + `v` + side + `H0z"/><path d="`)
	for y := range size {
		for x := 0; x < size; x++ {
			start := x
			for dark(x, y) {
				x++
			}
			if n := strconv.Itoa(x - start); x > start {
				b.WriteString("M" + strconv.Itoa(start+quiet) + " " + strconv.Itoa(y+quiet) + "h" + n + "v1h-" + n + "z")
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String(), nil
}

// modules encodes a URI; dark answers for every coordinate, white outside the symbol.
func modules(uri string) (dark func(x, y int) bool, size int, err error) {
	if _, err := ParseURI(uri); err != nil {
		return nil, 0, err
	}
	code, err := qr.Encode(uri, qr.M, qr.Auto)
	if err != nil {
		return nil, 0, errors.New("mfa: encoding a QR code") // the cause could quote the URI
	}
	box := code.Bounds()
	return func(x, y int) bool {
		p := image.Pt(x, y).Add(box.Min)
		return p.In(box) && color.GrayModel.Convert(code.At(p.X, p.Y)).(color.Gray).Y < 128
	}, box.Dx(), nil
}
