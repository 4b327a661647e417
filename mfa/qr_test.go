package mfa_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa"
)

// bitmap reads the modules of the PNG, the quiet zone included.
func bitmap(t testing.TB, picture []byte) [][]bool {
	t.Helper()
	const pixels = 6
	img, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	side := img.Bounds().Dx()
	require.Equal(t, side, img.Bounds().Dy())
	require.Zero(t, side%pixels)
	rows := make([][]bool, side/pixels)
	for y := range rows {
		rows[y] = make([]bool, side/pixels)
		for x := range rows[y] {
			r, _, _, _ := img.At(x*pixels+pixels/2, y*pixels+pixels/2).RGBA()
			rows[y][x] = r == 0
		}
	}
	return rows
}

// drawn reads the modules of the SVG by painting its path.
func drawn(t testing.TB, svg string, side int) [][]bool {
	t.Helper()
	rows := make([][]bool, side)
	for y := range rows {
		rows[y] = make([]bool, side)
	}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(svg, -1) {
		x, y, n := atoi(t, m[1]), atoi(t, m[2]), atoi(t, m[3])
		require.Equal(t, m[3], m[4])
		for i := range n {
			rows[y][x+i] = true
		}
	}
	return rows
}

func atoi(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

func TestPNGAndSVGShowTheSameCode(t *testing.T) {
	t.Parallel()
	for _, name := range names {
		uri := uriOf(t, name, "lin@example.com")
		picture, err := mfa.PNG(uri)
		require.NoError(t, err)
		svg, err := mfa.SVG(uri)
		require.NoError(t, err)
		rows := bitmap(t, picture)
		require.Equal(t, rows, drawn(t, svg, len(rows)))
		wellFormed(t, svg)
		require.Contains(t, svg, fmt.Sprintf(`viewBox="0 0 %d %d"`, len(rows), len(rows)))
		finders(t, rows)
	}
}

// finders asserts the quiet zone and the three finder patterns, which make it a QR code.
func finders(t testing.TB, rows [][]bool) {
	t.Helper()
	n := len(rows)
	for i := range n {
		for q := range 4 {
			require.False(t, rows[q][i] || rows[n-1-q][i] || rows[i][q] || rows[i][n-1-q], "quiet zone")
		}
	}
	pattern := []string{"#######", "#     #", "# ### #", "# ### #", "# ### #", "#     #", "#######"}
	for _, corner := range [][2]int{{4, 4}, {n - 11, 4}, {4, n - 11}} {
		for y, line := range pattern {
			for x, c := range line {
				require.Equal(t, c == '#', rows[corner[1]+y][corner[0]+x])
			}
		}
	}
}

func wellFormed(t testing.TB, svg string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
	}
}

func TestPicturesOfSomethingElseAreRefused(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"", "https://example.com", "otpauth://totp/x?secret=AAAA"} {
		picture, err := mfa.PNG(uri)
		require.ErrorIs(t, err, mfa.ErrURI)
		require.Nil(t, picture)
		svg, err := mfa.SVG(uri)
		require.ErrorIs(t, err, mfa.ErrURI)
		require.Empty(t, svg)
	}
}
