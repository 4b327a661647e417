package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
	_ "time/tzdata" // the same hours on machines that know no time zones
)

// config is what the command line says.
type config struct {
	addr        string // host:port to listen on
	data        string // folder of the key file and, without db, of the SQLite file
	db          string // postgres://…, empty for SQLite
	demo        bool
	baseURL     string // how browsers reach the clinic, for the links it sends
	tlsCert     string
	tlsKey      string
	smtp        string // host:port of the mail server
	mailFrom    string
	zone        *time.Location // in which the pages tell the time
	redis       string         // redis://…, empty for sessions in the database
	redisPrefix string         // begins the names of its keys
	proxies     []netip.Prefix // whose word on client addresses counts
	rotate      bool           // renew the keys instead of serving
	why         string         // reason of rotate
	shreds      string         // journal of destroyed patients: a file or postgres://…; empty for one in data
	keepRecords int            // years after its last entry before a record can be destroyed

	now func() time.Time // the clock of the audit, for tests that begin years ago; nil is time.Now
}

func (c config) tls() bool { return c.tlsCert != "" }

// parseConfig reads the flags. Its errors are one line each.
func parseConfig(args []string) (config, error) {
	var c config
	flags := flag.NewFlagSet("clinic", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8080", "address to listen on")
	flags.StringVar(&c.data, "data", "./clinic-data", "folder for the key file and the SQLite file, created 0700")
	flags.StringVar(&c.db, "db", "", "postgres://… instead of SQLite")
	flags.BoolVar(&c.demo, "demo", true, "seed invented people and serve /demo; loopback only")
	flags.StringVar(&c.baseURL, "url", "", "how browsers reach the clinic; needed when -addr is not loopback")
	flags.StringVar(&c.tlsCert, "tls-cert", "", "PEM certificate chain")
	flags.StringVar(&c.tlsKey, "tls-key", "", "PEM private key")
	flags.StringVar(&c.smtp, "smtp", "", "host:port of a mail server for invitations; the demo has its own mailbox")
	flags.StringVar(&c.mailFrom, "mail-from", "clinic@example.com", "sender of those mails")
	flags.StringVar(&c.redis, "redis", "", "redis://… for sessions, instead of the database")
	flags.StringVar(&c.redisPrefix, "redis-prefix", "", "what the names of keys in Redis begin with, where several clinics share one")
	proxies := flags.String("proxy", "", "networks of the proxies in front of the clinic, such as 10.0.0.0/8")
	flags.BoolVar(&c.rotate, "rotate", false, "renew the keys of all records, tell how far it is, and end; needs -why")
	flags.StringVar(&c.why, "why", "", "reason of -rotate, kept in the audit")
	flags.StringVar(&c.shreds, "shreds", "", "file, or postgres://… of a database of its own, that remembers whose data was destroyed; clinic.shreds in -data where empty. Never put it back with a backup")
	flags.IntVar(&c.keepRecords, "keep-records", -1, "years after its last entry before a patient's data can be destroyed; 10 where not given, 0 in the demo")
	zone := flags.String("zone", "America/New_York", "time zone in which the pages tell the time")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return c, helpError{usage(flags)}
		}
		return c, err
	}
	if flags.NArg() > 0 {
		return c, errors.New("unexpected argument; all settings are flags, see -help")
	}
	var err error
	if c.zone, err = time.LoadLocation(*zone); err != nil || *zone == "" || *zone == "Local" {
		return c, errors.New("-zone: want a name such as America/New_York")
	}
	if c.proxies, err = parseProxies(*proxies); err != nil {
		return c, err
	}
	return c, c.validate()
}

// when tells a time to the minute, where the clinic is.
func (c config) when(t time.Time) string { return t.In(c.zone).Format("2 Jan 2006 15:04") }

// exactly tells a time to the second, where the clinic is.
func (c config) exactly(t time.Time) string { return t.In(c.zone).Format("2 Jan 2006 15:04:05") }

// place names the time zone for the heads of tables: "New York" of "America/New_York".
func (c config) place() string {
	name := c.zone.String()
	return strings.ReplaceAll(name[strings.LastIndexByte(name, '/')+1:], "_", " ")
}

// helpError carries the text that -help prints.
type helpError struct{ text string }

func (helpError) Error() string { return "help requested" }

func usage(flags *flag.FlagSet) string {
	var b strings.Builder
	b.WriteString("clinic: a clinic's web application on wardkit\n\n")
	flags.SetOutput(&b)
	flags.PrintDefaults()
	return b.String()
}

func (c *config) validate() error {
	if c.keepRecords == -1 {
		if c.keepRecords = keptYears; c.demo {
			c.keepRecords = 0
		}
	}
	host, _, err := net.SplitHostPort(c.addr)
	if err != nil {
		return fmt.Errorf("-addr: want host:port: %w", err)
	}
	local := isLoopback(host)
	switch {
	case c.rotate && len(strings.TrimSpace(c.why)) < minReason:
		return errors.New("-rotate: give -why, a reason of a few words")
	case c.why != "" && !c.rotate:
		return errors.New("-why goes with -rotate")
	case (c.tlsCert == "") != (c.tlsKey == ""):
		return errors.New("-tls-cert and -tls-key go together")
	case c.demo && !local:
		return errors.New("-demo shows passwords and codes, so it listens on loopback only; use -demo=false")
	case !local && !c.tls():
		return errors.New("plain HTTP is for loopback only; give -tls-cert and -tls-key")
	case !local && c.baseURL == "":
		return errors.New("-url: needed when -addr is not loopback")
	case c.keepRecords < 0 || c.keepRecords > 100:
		return errors.New("-keep-records: want a number of years, 0 to 100")
	case c.data == "":
		return errors.New("-data: no folder given")
	case c.db != "" && !strings.HasPrefix(c.db, "postgres://") && !strings.HasPrefix(c.db, "postgresql://"):
		return errors.New("-db: want postgres://…")
	}
	if c.redis != "" && !strings.HasPrefix(c.redis, "redis://") && !strings.HasPrefix(c.redis, "rediss://") {
		return errors.New("-redis: want redis://host:port/number")
	}
	if _, err := url.Parse(c.db); err != nil {
		return errors.New("-db: the address cannot be read") // without quoting it: it holds a password
	}
	if c.baseURL != "" {
		u, err := url.Parse(c.baseURL)
		if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || (u.Scheme != "https" && !isLoopback(u.Hostname())) {
			return errors.New("-url: want https://host[:port]")
		}
		if c.demo && !isLoopback(u.Hostname()) {
			return errors.New("-url: -demo shows passwords and codes, so it answers to a loopback name only; use -demo=false")
		}
	}
	return nil
}

// isLoopback reports whether a listener on host is reachable from this machine only.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
