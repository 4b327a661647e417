package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/phi"
)

// refuses runs the clinic and expects that it ends with one clear line and without having
// touched the folder.
func refuses(t *testing.T, folder, says string, args ...string) {
	t.Helper()
	before := snapshot(t, folder)
	stderr, code := runClinic(t, args...)
	require.NotZero(t, code, "it did not refuse")
	require.Equal(t, 1, strings.Count(stderr, "\n"), "one line, not:\n%s", stderr)
	require.True(t, strings.HasPrefix(stderr, "clinic: ") && strings.HasSuffix(stderr, "\n"), stderr)
	require.Contains(t, stderr, says)
	require.Less(t, len(stderr), 300)
	require.Equal(t, before, snapshot(t, folder), "something was half-written")
}

// snapshot is the name, mode and content of everything below a folder.
func snapshot(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all[path] = info.Mode().String()
		if d.Type().IsRegular() {
			content, err := os.ReadFile(path)
			sum := sha256.Sum256(content)
			all[path] += string(sum[:])
			return err
		}
		return nil
	})
	require.NoError(t, err)
	return all
}

func TestStartRefusesBadFlags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, says string
		args       []string
	}{
		{"unknown_flag", "-port", []string{"-port", "80"}},
		{"extra_argument", "unexpected argument", []string{"serve"}},
		{"flag_without_value", "-addr", []string{"-addr"}},
		{"bad_boolean", "-demo", []string{"-demo=perhaps"}},
		{"address_without_port", "-addr", []string{"-addr", "localhost"}},
		{"demo_for_everybody", "loopback", []string{"-addr", "0.0.0.0:0"}},
		{"demo_on_all_interfaces", "loopback", []string{"-addr", ":0"}},
		{"demo_on_a_public_address", "loopback", []string{"-addr", "192.0.2.7:0"}},
		{"demo_under_a_public_name", "loopback", []string{"-url", "https://clinic.example.com"}},
		{"plain_http_for_everybody", "plain HTTP", []string{"-demo=false", "-addr", "0.0.0.0:0"}},
		{"certificate_without_key", "-tls-key", []string{"-tls-cert", "cert.pem"}},
		{"key_without_certificate", "-tls-cert", []string{"-tls-key", "key.pem"}},
		{"certificate_that_is_not_there", "-tls-cert", []string{"-tls-cert", "no-cert.pem", "-tls-key", "no-key.pem"}},
		{"everybody_without_url", "-url", []string{"-demo=false", "-addr", "0.0.0.0:0", "-tls-cert", "c", "-tls-key", "k"}},
		{"url_with_path", "-url", []string{"-url", "https://clinic.example.com/app"}},
		{"url_without_tls", "-url", []string{"-url", "http://clinic.example.com"}},
		{"no_folder", "-data", []string{"-data", ""}},
		{"no_such_zone", "-zone", []string{"-zone", "Harbor/Nowhere"}},
		{"zone_of_whatever_machine", "-zone", []string{"-zone", "Local"}},
		{"another_database", "-db", []string{"-db", "mysql://localhost/clinic"}},
		{"another_redis", "-redis", []string{"-redis", "memcached://localhost"}},
		{"proxy_that_is_no_network", "-proxy", []string{"-proxy", "localhost"}},
		{"proxy_of_everybody", "-proxy", []string{"-proxy", "0.0.0.0/0"}},
		{"renewal_without_a_reason", "-why", []string{"-rotate"}},
		{"reason_without_a_renewal", "-rotate", []string{"-why", "yearly"}},
		{"renewal_without_a_clinic", "no clinic", []string{"-rotate", "-why", "yearly"}},
		{"address_of_nobody", "-addr", []string{"-addr", "127.0.0.1:99999"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := append([]string{"-data", filepath.Join(dir, "data")}, row.args...)
			refuses(t, dir, row.says, args...)
		})
	}
	t.Run("help_is_no_error", func(t *testing.T) {
		t.Parallel()
		_, code := runClinic(t, "-help")
		require.Zero(t, code)
	})
}

func TestStartRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	t.Run("folder_is_a_file", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "data")
		require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
		refuses(t, dir, "-data", "-addr", "127.0.0.1:0", "-data", path)
	})
	t.Run("folder_below_a_file", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "data")
		require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
		refuses(t, dir, "-data", "-addr", "127.0.0.1:0", "-data", filepath.Join(path, "clinic"))
	})
	t.Run("folder_is_read_only", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "data")
		require.NoError(t, os.Mkdir(dir, 0o500))
		if f, err := os.Create(filepath.Join(dir, "x")); err == nil { // root, or Windows
			f.Close()
			require.NoError(t, os.Remove(f.Name()))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "clinic.db"), 0o700)) // in the way of root too
		}
		refuses(t, dir, "-data", "-addr", "127.0.0.1:0", "-data", dir)
	})
	t.Run("key_file_is_a_folder", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "clinic.key"), 0o700))
		refuses(t, dir, "clinic.key", "-addr", "127.0.0.1:0", "-data", dir)
	})
	t.Run("database_file_is_no_database", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		require.NoError(t, phi.CreateKeyFile(filepath.Join(dir, "clinic.key")))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "clinic.db"), []byte(strings.Repeat("a letter to my aunt ", 500)), 0o600))
		refuses(t, dir, "clinic.db is no database", "-addr", "127.0.0.1:0", "-data", dir)
	})
}

func TestStartRefusesWhatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	t.Run("port_is_taken", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer taken.Close()
		refuses(t, dir, "-addr", "-addr", taken.Addr().String(), "-data", filepath.Join(dir, "data"))
	})
	t.Run("database_does_not_answer", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		free, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, free.Close())
		password := "hunter-in-the-fog"
		db := "postgres://clinic:" + password + "@" + free.Addr().String() + "/clinic"
		refuses(t, dir, "the database does not answer", "-addr", "127.0.0.1:0", "-data", filepath.Join(dir, "data"), "-db", db)
		stderr, _ := runClinic(t, "-addr", "127.0.0.1:0", "-data", filepath.Join(dir, "data"), "-db", db)
		require.NotContains(t, stderr, password)
	})
	t.Run("database_address_is_garbled", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		refuses(t, dir, "-db: the address cannot be read\n", "-addr", "127.0.0.1:0", "-data", filepath.Join(dir, "data"), "-db", "postgres://%zz:secret@/x")
	})
	t.Run("certificate_is_garbled", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		pemFile := filepath.Join(dir, "cert.pem")
		require.NoError(t, os.WriteFile(pemFile, []byte("not a certificate"), 0o600))
		refuses(t, dir, "-tls-cert", "-addr", "127.0.0.1:0", "-data", filepath.Join(dir, "data"), "-tls-cert", pemFile, "-tls-key", pemFile)
	})
}

// used runs a clinic on the folder once and stops it, so that there is something to protect.
func used(t *testing.T, args ...string) {
	t.Helper()
	c := start(t, append([]string{"-demo=false"}, args...)...)
	c.stop()
}

func TestStartRefusesWrongKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	used(t, "-data", dir)
	for _, row := range []struct {
		name, says string
		spoil      func(t *testing.T, key string)
	}{
		{"key_of_another_clinic", "wrong key", func(t *testing.T, key string) {
			require.NoError(t, os.Remove(key))
			require.NoError(t, phi.CreateKeyFile(key))
		}},
		{"key_open_to_others", "0600", func(t *testing.T, key string) {
			if runtime.GOOS == "windows" {
				t.Skip("SKIPPED: no mode bits")
			}
			require.NoError(t, os.Chmod(key, 0o644))
		}},
		{"key_cut_short", "clinic.key", func(t *testing.T, key string) {
			text, err := os.ReadFile(key)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(key, text[:len(text)-9], 0o600))
		}},
		{"key_with_one_letter_changed", "clinic.key", func(t *testing.T, key string) {
			text, err := os.ReadFile(key)
			require.NoError(t, err)
			text[len(text)-20] ^= 3
			require.NoError(t, os.WriteFile(key, text, 0o600))
		}},
		{"key_empty", "clinic.key", func(t *testing.T, key string) {
			require.NoError(t, os.WriteFile(key, nil, 0o600))
		}},
		{"key_missing", "put the key file back", func(t *testing.T, key string) {
			require.NoError(t, os.Remove(key))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			mine := t.TempDir()
			require.NoError(t, os.CopyFS(mine, os.DirFS(dir)))
			key := filepath.Join(mine, "clinic.key")
			require.NoError(t, os.Chmod(key, 0o600))
			row.spoil(t, key)
			refuses(t, mine, row.says, "-demo=false", "-addr", "127.0.0.1:0", "-data", mine)
		})
	}
}

func TestStartRefusesDatabaseOfAnotherKey(t *testing.T) {
	t.Parallel()
	_, db := enginetest.PostgresSchema(t)
	used(t, "-data", t.TempDir(), "-db", db)
	t.Run("postgres", func(t *testing.T) {
		dir := t.TempDir()
		refuses(t, dir, "put the key file back", "-demo=false", "-addr", "127.0.0.1:0", "-data", filepath.Join(dir, "data"), "-db", db)
		require.NoError(t, phi.CreateKeyFile(filepath.Join(dir, "clinic.key")))
		refuses(t, dir, "wrong key", "-demo=false", "-addr", "127.0.0.1:0", "-data", dir, "-db", db)
	})
}

func TestStartRefusesEditedMigration(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		args = append(args, "-demo=false")
		used(t, args...)
		c, err := parseConfig(args)
		require.NoError(t, err)
		db, err := connect(t.Context(), c)
		require.NoError(t, err)
		res, err := db.pool.ExecContext(t.Context(), "UPDATE wardkit_migration SET checksum = 'another' WHERE line = 'session' AND number = 1")
		require.NoError(t, err)
		n, err := res.RowsAffected()
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.NoError(t, db.pool.Close())
		refuses(t, c.data, "an applied migration was edited", append(args, "-addr", "127.0.0.1:0")...)
	})
}

func TestStartMakesPrivateFiles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: no mode bits")
	}
	dir := filepath.Join(t.TempDir(), "deep", "data")
	start(t, "-demo=false", "-data", dir)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
}

// TestFirstAdministrator is the start without the demo.
func TestFirstAdministrator(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		s := tell(t, append(args, "-demo=false")...)
		boss := s.enter()
		var link, first string
		form := url.Values{"name": {"Ruth Amadi"}, "email": {"ruth.amadi@example.com"}, "password": {"four slow barges drift"}}
		s.step("link_is_printed_once_per_start_until_it_is_used", func(t *testing.T) {
			first = setUpLink(t, s.clinic)
			s.clinic.stop()
			s.restart(t)
			link = setUpLink(t, s.clinic)
			require.NotEqual(t, first, link)
			require.Equal(t, http.StatusGone, boss.get(first).status, "a newer link replaced it")
			require.NotContains(t, s.logged(), filepath.Base(link), "the link is for the terminal, not for the log")
		})
		s.step("there_is_no_demo", func(t *testing.T) {
			require.Equal(t, http.StatusNotFound, boss.get("/demo").status)
			require.NotContains(t, boss.get("/sign-in").text(), "demo")
		})
		s.step("link_asks_who_one_is_and_for_a_good_password", func(t *testing.T) {
			require.Contains(t, boss.get(link).text(), "You are the first administrator.")
			for field, bad := range map[string]string{"name": "", "email": "ruth", "password": "password1"} {
				wrong := url.Values{"name": form["name"], "email": form["email"], "password": form["password"]}
				wrong.Set(field, bad)
				at := boss.post(link, wrong)
				require.Equal(t, http.StatusUnprocessableEntity, at.status, field)
			}
		})
		s.step("first_administrator_sets_up_and_enrols", func(t *testing.T) {
			at := boss.secondStep(boss.post(link, form))
			require.Contains(t, at.text(), "Good day, Ruth Amadi You are signed in as Clinic Admin.")
			require.Contains(t, at.text(), "0 Patients")
			require.Contains(t, boss.get("/team").table(), []string{"Ruth Amadi", "Clinic Admin", "Active", "App"})
		})
		s.step("link_works_once", func(t *testing.T) {
			other := newPerson(t, s.clinic)
			require.Equal(t, http.StatusGone, other.get(link).status)
			require.Equal(t, http.StatusGone, other.post(link, form).status)
			require.Empty(t, other.cookies)
		})
		s.step("next_start_prints_no_link", func(t *testing.T) {
			s.clinic.stop()
			s.restart(t)
			require.NotContains(t, s.clinic.out.String(), "/link/")
			require.Equal(t, "/dashboard", boss.get("/dashboard").path)
		})
		s.step("invitation_without_mail_server_waits_in_the_outbox", func(t *testing.T) {
			at := boss.post("/team/invite", url.Values{"name": {newcomer.name}, "email": {newcomer.email}, "role": {"therapist"}})
			require.Equal(t, "/team?done=invited", at.path, at.text())
			require.Contains(t, at.table(), []string{newcomer.name, "Therapist", "Invited", "Not set up yet"})
		})
	})
}

func setUpLink(t *testing.T, c *clinic) string {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(c.out.String(), "/link/") }, 2*time.Minute, 10*time.Millisecond)
	_, link, _ := strings.Cut(strings.TrimSpace(c.out.String()), "/link/")
	require.NotContains(t, link, "/link/", "one link")
	return "/link/" + link
}

// certificate writes a certificate for localhost and returns what trusts it.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return cert, key, roots
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, roots := certificate(t)
	c := start(t, "-demo=false", "-data", t.TempDir(), "-tls-cert", cert, "-tls-key", key)
	require.True(t, strings.HasPrefix(c.base, "https://localhost:"), c.base)
	with := func(config *tls.Config) *person {
		config.RootCAs = roots
		mine := *c
		client := *c.client
		client.Transport = &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
		mine.client = &client
		return newPerson(t, &mine)
	}
	t.Run("pages_come_over_tls_with_hsts", func(t *testing.T) {
		at := with(&tls.Config{}).get("/sign-in")
		require.Equal(t, http.StatusOK, at.status)
		require.Contains(t, at.header.Get("Strict-Transport-Security"), "max-age=63072000")
	})
	t.Run("tls_1_1_is_refused", func(t *testing.T) {
		p := with(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		_, _, err := p.clinic.exchange(p.request(http.MethodGet, "/sign-in", nil))
		require.ErrorContains(t, err, "protocol version")
	})
	t.Run("plain_http_is_refused", func(t *testing.T) {
		res, err := http.Get(strings.Replace(c.base, "https:", "http:", 1) + "/sign-in")
		require.NoError(t, err)
		defer res.Body.Close()
		require.Equal(t, http.StatusBadRequest, res.StatusCode)
	})
	t.Run("set_up_link_is_https", func(t *testing.T) {
		require.Eventually(t, func() bool { return strings.Contains(c.out.String(), c.base+"/link/") }, 2*time.Minute, 10*time.Millisecond)
	})
}
