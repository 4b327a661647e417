package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
)

// childVariable makes the test binary run the clinic instead of the tests: the end-to-end
// tests start real processes, so that they can kill them.
const childVariable = "WARDKIT_TEST_CLINIC_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "1" {
		if line := os.Getenv(haltVariable); line != "" {
			_ = run(context.Background(), os.Args[1:], halting(line), os.Stderr)
			os.Exit(2)
		}
		main()
		os.Exit(0)
	}
	enginetest.Patient()
	os.Exit(m.Run())
}

// haltVariable is how a line begins after which a process does nothing more, until it is killed.
const haltVariable = "WARDKIT_TEST_CLINIC_HALT"

type halting string

func (h halting) Write(p []byte) (int, error) {
	n, err := os.Stdout.Write(p)
	if bytes.HasPrefix(p, []byte(h)) {
		select {}
	}
	return n, err
}

// engines runs f with the clinic's arguments for each SQL engine, and with what dumps the
// database those arguments use. With -short, which goes with the race detector, it is
// PostgreSQL only where there is one: there requests write at the same time.
func engines(t *testing.T, f func(t *testing.T, args []string, dump func(t *testing.T) []byte)) {
	t.Run("sqlite", func(t *testing.T) {
		if testing.Short() && os.Getenv("WARDKIT_POSTGRES") != "" {
			t.Skip("SKIPPED: -short: the story is told on PostgreSQL")
		}
		t.Parallel()
		dir := t.TempDir()
		f(t, []string{"-data", dir}, func(t *testing.T) []byte { return dumpFolder(t, dir) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		pool, url := enginetest.PostgresSchema(t)
		dir := t.TempDir()
		f(t, []string{"-data", dir, "-db", url}, func(t *testing.T) []byte {
			return append(dumpPostgres(t, pool), dumpFolder(t, dir)...)
		})
	})
}

// clinic is a running clinic process.
type clinic struct {
	cmd    *exec.Cmd
	base   string
	client *http.Client
	out    *lockedBuffer // everything it printed on its standard output
	log    *lockedBuffer // everything it logged
	done   chan struct{}
}

// start runs the clinic and waits until it says where it is. It is killed when the test ends.
func start(t *testing.T, args ...string) *clinic {
	t.Helper()
	c, err := launch(args...)
	if c != nil {
		t.Cleanup(c.kill)
	}
	require.NoError(t, err)
	return c
}

var address = regexp.MustCompile(`https?://localhost:\d+`)

func launch(args ...string) (*clinic, error) {
	c := &clinic{out: &lockedBuffer{}, log: &lockedBuffer{}, done: make(chan struct{})}
	c.client = &http.Client{
		Timeout:       60 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.cmd = exec.Command(os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	c.cmd.Env = append(os.Environ(), childVariable+"=1")
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stderr = c.log
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	found := make(chan string, 1)
	go c.read(out, found)
	select {
	case c.base = <-found:
		return c, nil
	case <-c.done:
		_ = c.cmd.Wait() // its log is whole now
		if strings.Contains(c.log.String(), "address already in use") {
			return c, errTaken
		}
		return c, fmt.Errorf("the clinic ended at once:\n%s%s", c.out, c.log)
	case <-time.After(2 * time.Minute):
		return c, fmt.Errorf("the clinic did not start:\n%s%s", c.out, c.log)
	}
}

// errTaken: somebody else was given the port meanwhile.
var errTaken = errors.New("the address is in use")

// read keeps what the clinic prints and tells the first address in it.
func (c *clinic) read(out io.Reader, found chan<- string) {
	defer close(c.done)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(c.out, lines.Text())
		if m := address.FindString(lines.Text()); m != "" {
			select {
			case found <- m:
			default:
			}
		}
	}
}

// kill ends the process the hard way, kill -9, and waits for it.
func (c *clinic) kill() { c.end(os.Kill) }

// stop ends the process the polite way.
func (c *clinic) stop() { c.end(syscall.SIGTERM) }

func (c *clinic) end(sig os.Signal) {
	if c.cmd.ProcessState != nil {
		return
	}
	if c.cmd.Process.Signal(sig) != nil {
		_ = c.cmd.Process.Kill() // Windows knows no polite way
	}
	<-c.done
	_ = c.cmd.Wait()
	c.client.CloseIdleConnections()
}

// runClinic runs the clinic with arguments that should make it refuse and returns what it
// said and its exit code.
func runClinic(t *testing.T, args ...string) (stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	_ = cmd.Run()
	return errs.String(), cmd.ProcessState.ExitCode()
}

// lockedBuffer is a bytes.Buffer that two goroutines may use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// hiddenField is the identifier of the session in a form.
var hiddenField = regexp.MustCompile(`<form [^>]*method="post"[^>]*><input type="hidden" name="csrf" value="([^"]+)">`)

// person is somebody with a browser: cookies, and the phone that makes codes.
type person struct {
	t       *testing.T
	clinic  *clinic
	cookies map[string]string
	csrf    string   // what the last page put first into its forms
	secret  string   // TOTP key after enrolment
	step    int64    // last step whose code was used
	kept    []string // every cookie value ever received
}

func newPerson(t *testing.T, c *clinic) *person {
	return &person{t: t, clinic: c, cookies: map[string]string{}}
}

// page is what a request answered after its redirects.
type page struct {
	status int
	path   string // where it ended, with its query
	body   string
	header http.Header
}

// text returns the page without its tags.
func (p page) text() string {
	return html.UnescapeString(strings.Join(strings.Fields(untagged(p.body, " ")), " "))
}

// untagged puts something else in the place of every tag.
func untagged(body, instead string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(body, "<")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, after, closed := strings.Cut(rest, ">")
		if !closed {
			return b.String() + "<" + rest
		}
		b.WriteString(instead)
		body = after
	}
}

// match returns the first group of the pattern.
func (p page) match(t *testing.T, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(p.body)
	require.NotNil(t, m, "the page at %s has no %s:\n%s", p.path, pattern, p.text())
	return html.UnescapeString(m[1])
}

func (p *person) get(path string) page { return p.do(http.MethodGet, path, nil) }

func (p *person) post(path string, form url.Values) page { return p.do(http.MethodPost, path, form) }

// do sends a request and follows redirects the way a browser does.
func (p *person) do(method, path string, form url.Values) page {
	p.t.Helper()
	if method != http.MethodGet && p.csrf == "" && p.cookies[sessionCookie] != "" {
		p.get("/security") // a form comes from a page
	}
	for range 10 {
		r := p.request(method, path, form)
		at := p.send(r)
		if at.status != http.StatusSeeOther && at.status != http.StatusTemporaryRedirect {
			return at
		}
		next, err := r.URL.Parse(at.header.Get("Location"))
		require.NoError(p.t, err)
		if path = next.RequestURI(); at.status == http.StatusSeeOther {
			method, form = http.MethodGet, nil
		}
	}
	p.t.Fatalf("too many redirects at %s", path)
	return page{}
}

// send sends one request and keeps the cookies of its answer.
func (p *person) send(r *http.Request) page {
	p.t.Helper()
	at, cookies, err := p.clinic.exchange(r)
	require.NoError(p.t, err)
	p.keep(cookies)
	if m := hiddenField.FindStringSubmatch(at.body); m != nil {
		p.csrf = m[1]
	}
	return at
}

// attempt posts one form without touching the person, for several at once; the clinic may
// die meanwhile.
func (p *person) attempt(path string, form url.Values) (page, error) {
	at, _, err := p.clinic.exchange(p.request(http.MethodPost, path, form))
	return at, err
}

// insist is attempt, again and again while the clinic says that it is too busy.
func (p *person) insist(path string, form url.Values) (at page, err error) {
	for range 50 { // each took seconds
		if at, err = p.attempt(path, form); err != nil || at.status != http.StatusServiceUnavailable {
			break
		}
	}
	return at, err
}

// exchange sends a request and reads the whole answer.
func (c *clinic) exchange(r *http.Request) (page, []*http.Cookie, error) {
	res, err := c.client.Do(r)
	if err != nil {
		return page{}, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return page{}, nil, err
	}
	return page{res.StatusCode, r.URL.RequestURI(), string(body), res.Header}, res.Cookies(), nil
}

func (p *person) request(method, path string, form url.Values) *http.Request {
	p.t.Helper()
	var body io.Reader
	if method != http.MethodGet && p.csrf != "" {
		body = strings.NewReader("csrf=" + p.csrf + "&" + form.Encode())
	} else if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.clinic.base+path, body)
	require.NoError(p.t, err)
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", p.clinic.base)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	for name, value := range p.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// keep stores cookies as a browser on localhost does, Secure ones included.
func (p *person) keep(cookies []*http.Cookie) {
	for _, c := range cookies {
		if c.MaxAge < 0 || c.Value == "" {
			delete(p.cookies, c.Name)
			continue
		}
		p.cookies[c.Name] = c.Value
		p.kept = append(p.kept, c.Value)
	}
}

// signIn walks the whole sign-in and ends on the dashboard.
func (p *person) signIn(email, password string) page {
	p.t.Helper()
	at := p.post("/sign-in", url.Values{"email": {email}, "password": {password}})
	return p.secondStep(at)
}

// proves answers the page that asks once more who is there, with what else its form holds.
func (p *person) proves(at page, proof url.Values) page {
	p.t.Helper()
	path := at.match(p.t, `<form method="post" action="(/(?:confirm|unlock))">`)
	_, inner, _ := strings.Cut(at.body, `action="`+path+`">`)
	inner, _, _ = strings.Cut(inner, "</form>")
	form := url.Values{}
	for _, m := range inputPattern.FindAllStringSubmatch(inner, -1) {
		form.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	form.Del("csrf")
	for name, values := range proof {
		form[name] = values
	}
	return p.post(path, form)
}

// byPassword is the proof of everybody in the demo.
func byPassword() url.Values { return url.Values{fieldPassword: {demoPassword}} }

// sure answers for a page what it may ask before.
func (p *person) sure(at page) page {
	p.t.Helper()
	if at.status == http.StatusUnauthorized && strings.Contains(at.body, `action="/confirm"`) {
		return p.proves(at, byPassword())
	}
	return at
}

// secondStep enrols or gives a code, whatever the page asks for.
func (p *person) secondStep(at page) page {
	p.t.Helper()
	switch at.path {
	case "/sign-in/enrol":
		p.secret = strings.ReplaceAll(at.match(p.t, `id="manual-key">([^<]+)<`), " ", "")
		at = p.post("/sign-in/enrol", url.Values{"code": {p.code()}})
	case "/sign-in/code":
		at = p.post("/sign-in/code", url.Values{"code": {p.code()}})
	}
	require.Equal(p.t, http.StatusOK, at.status, at.text())
	require.Equal(p.t, "/dashboard", at.path, at.text())
	return at
}

// code makes the next code that was not used yet. The clinic accepts one step ahead, so two
// sign-ins need no waiting; a third one within half a minute does, as it would in real life.
func (p *person) code() string {
	p.t.Helper()
	p.step = max(p.step+1, time.Now().Unix()/30)
	for p.step > time.Now().Unix()/30+1 {
		time.Sleep(100 * time.Millisecond)
	}
	return codeAt(p.t, p.secret, p.step)
}

// codeAt is what an authenticator app shows in one step of 30 seconds.
func codeAt(t *testing.T, secret string, step int64) string {
	t.Helper()
	code, err := totp.GenerateCodeCustom(secret, time.Unix(step*30, 0), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	require.NoError(t, err)
	return fmt.Sprintf("%s %s", code[:3], code[3:])
}
