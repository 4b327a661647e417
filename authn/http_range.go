package authn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxRange is how many bytes of one answer are read; they have about 40 KB.
const maxRange = 4 << 20

// RangeClient asks a server that speaks the range protocol of Have I Been Pwned, version 3, the
// public one or a copy inside the host's own network. It is a Breaches.
type RangeClient struct {
	base   *url.URL
	client *http.Client
}

// NewRangeClient returns a client of the server whose ranges lie under base, for example
// "https://breaches.example.com/range/". It must be https, or http on a loopback host. A nil
// client is one that follows no redirects.
func NewRangeClient(base string, client *http.Client) (*RangeClient, error) {
	u, err := baseURL(base)
	if err != nil {
		return nil, errors.New("authn: the address of a range server must be https, http only on a loopback host")
	}
	if client == nil {
		client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &RangeClient{u, client}, nil
}

// Range implements Breaches. It asks for padding, so that the size of the answer tells nobody on
// the way which range it was.
func (c *RangeClient) Range(ctx context.Context, prefix string) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath(prefix).String(), nil)
	if err != nil {
		return nil, errors.New("authn: asking a range server")
	}
	req.Header.Set("Add-Padding", "true")
	req.Header.Set("User-Agent", "wardkit")
	res, err := c.client.Do(req)
	if err != nil {
		return nil, errors.New("authn: a range server does not answer") // the cause quotes the address
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("authn: a range server answers %d", res.StatusCode)
	}
	return readRange(res.Body)
}

// readRange reads lines of 35 hexadecimal digits, a colon and a count. Padding has the count 0.
func readRange(r io.Reader) (suffixes []string, err error) {
	limited := &io.LimitedReader{R: r, N: maxRange + 1}
	lines := bufio.NewScanner(limited)
	some := false
	for lines.Scan() {
		some = true
		suffix, count, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if !ok || len(suffix) != 40-breachPrefix || strings.Trim(suffix, "0123456789ABCDEF") != "" ||
			count == "" || strings.Trim(count, "0123456789") != "" {
			return nil, errors.New("authn: a range server's answer cannot be read")
		}
		if strings.Trim(count, "0") != "" {
			suffixes = append(suffixes, suffix)
		}
	}
	switch {
	case lines.Err() != nil || limited.N == 0:
		return nil, errors.New("authn: a range server's answer is cut off or too long")
	case !some: // every range has hundreds
		return nil, errors.New("authn: a range server's answer is empty")
	}
	return suffixes, nil
}
