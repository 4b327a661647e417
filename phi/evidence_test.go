package phi_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

var _ evidence.Source = (*phi.Vault)(nil)

// stated returns a vault's controls by ID, as a packet has them.
func stated(t testing.TB, s evidence.Source) map[string]evidence.Control {
	t.Helper()
	list, err := s.Controls(t.Context(), clinic)
	require.NoError(t, err)
	p := evidence.Collect(t.Context(), clinic, time.Now(), []evidence.Section{{Name: "Encryption", From: s}}, nil)
	require.Len(t, p.Sections[0].Controls, len(list))
	all := map[string]evidence.Control{}
	for i, c := range list {
		require.Equal(t, c, p.Sections[0].Controls[i], "a packet takes them as they are")
		all[c.ID] = c
	}
	return all
}

// TestControlsOfKeys: age, renewals under way and what is behind are those of the key store now.
func TestControlsOfKeys(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	require.Equal(t, evidence.NotUsed, stated(t, v)["phi.key_age"].State)
	w.populate(t, v)
	c := stated(t, v)
	require.Equal(t, evidence.InForce, c["phi.key_age"].State)
	require.Contains(t, c["phi.key_age"].Detail, "epoch 1, made "+w.clk.Now().Format("2006-01-02")+", 0 days ago; patients' keys that an older one wraps: 0")
	require.Equal(t, evidence.InForce, c["phi.rotation"].State)
	require.Contains(t, c["phi.sealed"].Detail, "AES-256-GCM")

	w.clk.Advance(731 * 24 * time.Hour)
	require.Equal(t, evidence.Partly, stated(t, v)["phi.key_age"].State)
	require.Contains(t, stated(t, v)["phi.key_age"].Warning, "two years")

	job, err := w.rotator(t, v).Begin(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	c = stated(t, v)
	require.Equal(t, evidence.Partly, c["phi.rotation"].State)
	require.Contains(t, c["phi.rotation"].Detail, "root: 0 of")
	list, err := v.Controls(t.Context(), "clinic-2")
	require.NoError(t, err)
	require.Equal(t, evidence.InForce, list[6].State, "somebody else's renewal")
	stuck := job
	stuck.Failed = 2
	require.NoError(t, w.store.AdvanceRotation(t.Context(), stuck))
	require.Equal(t, evidence.Failing, stated(t, v)["phi.rotation"].State)
	_, err = w.rotator(t, v).Rotate(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	c = stated(t, v)
	require.Equal(t, evidence.InForce, c["phi.rotation"].State)
	require.Equal(t, evidence.InForce, c["phi.key_age"].State)
	require.Contains(t, c["phi.key_age"].Detail, "epoch 2")

	_, err = w.rotator(t, v).Begin(t.Context(), phi.RotateKEK, "")
	require.NoError(t, err)
	require.Contains(t, stated(t, v)["phi.rotation"].Detail, "kek", "it concerns every tenant")
}

// TestControlsOfTheKMS: where the key-encryption key is decides what is said about it.
func TestControlsOfTheKMS(t *testing.T) {
	t.Parallel()
	file := func(name string) *phi.KeyFile {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, phi.CreateKeyFile(path))
		k, err := phi.OpenKeyFile(path)
		require.NoError(t, err)
		return k
	}
	state := func(kms phi.KMS) evidence.Control {
		return stated(t, openVault(t, kms, phi.NewMemoryKeys(), nil))["phi.key_custody"]
	}
	require.Equal(t, evidence.Failing, state(phi.NewMemoryKMS()).State)
	require.Equal(t, evidence.Partly, state(file("a")).State)
	require.Contains(t, state(file("a")).Warning, "Whoever has the file")
	far := state(phitest.NewKMS())
	require.Equal(t, evidence.InForce, far.State)
	require.Contains(t, far.Detail, "phitest.KMS")
	ring, err := phi.NewRing(file("new"), file("old"))
	require.NoError(t, err)
	both := state(ring)
	require.Equal(t, evidence.Partly, both.State)
	require.Contains(t, both.Detail, "older keys that still open: 1")
	require.Contains(t, both.Warning, "not finished")
	ring, err = phi.NewRing(phi.NewMemoryKMS(), file("old"))
	require.NoError(t, err)
	require.Equal(t, evidence.Failing, state(ring).State)

	require.Contains(t, stated(t, newVault(t))["phi.key_cache"].Detail, "5m0s")
	long := openVault(t, phi.NewMemoryKMS(), phi.NewMemoryKeys(), &phi.Options{CacheTTL: 2 * time.Hour})
	require.Equal(t, evidence.Partly, stated(t, long)["phi.key_cache"].State)
}

// TestControlsOfIndexes: the blind indexes are those of the types, with what they show.
func TestControlsOfIndexes(t *testing.T) {
	t.Parallel()
	type person struct {
		ID   string   `phi:",row,patient"`
		Name phi.Text `phi:"name,class=name"`
		SSN  phi.Text `phi:"ssn,class=ssn"`
	}
	v := newVault(t)
	codec := func(o ...phi.Option) phi.Indexed {
		c, err := phi.For[person](v, "person", o...)
		require.NoError(t, err)
		return c
	}
	state := func(all ...phi.Indexed) evidence.Control { return stated(t, phi.Statement(v, all...))["phi.indexes"] }
	require.Equal(t, evidence.NotUsed, state(codec()).State)
	whole := state(codec(phi.WithUnique("ssn", phi.SSN())))
	require.Equal(t, evidence.InForce, whole.State)
	require.Equal(t, "person.ssn (whole value, unique)", whole.Detail)
	require.Empty(t, whole.Warning)
	parts := state(codec(
		phi.WithLast("ssn", phi.SSN(), 4), phi.WithPrefix("name", phi.Name(), 2, 8),
		phi.WithCompound("both", phi.Part{Field: "name", Normaliser: phi.Name()}, phi.Part{Field: "ssn", Normaliser: phi.SSN()}),
	))
	require.Equal(t, "person.ssn.last4 (part: the last 4 characters), person.name.prefix (part: the first 2 to 8 characters), person.both (2 fields together)", parts.Detail)
	require.Contains(t, parts.Warning, "how often")
	require.NotContains(t, stated(t, v), "phi.indexes", "a vault alone knows no entities")
}

// TestControlsThatCannotBeAsked: a wrong key is failing, a store or KMS that does not answer makes
// what depends on it unknown, and nothing else.
func TestControlsThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(t, w.vault(t))
	for op, unknown := range map[string][]string{
		"current":    {"phi.canary", "phi.key_age"},
		"kms.unwrap": {"phi.canary"},
		"rotations":  {"phi.rotation"},
		"list":       {"phi.key_age"},
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			armed := false
			h := hooked{KeyStore: w.store, before: func(at string) error {
				if armed && at == op {
					return errDown
				}
				return nil
			}}
			v := openVault(t, &hookedKMS{KMS: w.kms, hooked: h}, &h, &phi.Options{Now: w.clk.Now})
			armed = true
			for id, c := range stated(t, v) {
				require.Equal(t, slices.Contains(unknown, id), c.State == evidence.Unknown, id)
				require.NotContains(t, c.Detail+c.Warning, "down", "no words of a store")
			}
		})
	}
	foreign := &hookedKMS{KMS: w.kms}
	v := openVault(t, foreign, w.store, nil)
	require.Equal(t, evidence.InForce, stated(t, v)["phi.canary"].State)
	foreign.KMS = phitest.NewKMS()
	require.Equal(t, evidence.Failing, stated(t, v)["phi.canary"].State)
}

// TestControlOfFIPS asks a program of its own in each mode; nothing claims a validation.
func TestControlOfFIPS(t *testing.T) {
	t.Parallel()
	const child = "PHI_TEST_FIPS_CONTROL"
	if want := os.Getenv(child); want != "" {
		c := stated(t, newVault(t))["phi.fips"]
		require.Equal(t, evidence.State(want), c.State)
		require.NotEmpty(t, c.Warning, "in either mode something has to be known")
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	for mode, state := range map[string]evidence.State{"fips140=on": evidence.InForce, "fips140=off": evidence.NotUsed} {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestControlOfFIPS$")
		cmd.Env = append(os.Environ(), "GODEBUG="+mode, child+"="+string(state))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", mode, out)
		require.Contains(t, string(out), "PASS")
	}
}
