package texts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/authnredis"
	"github.com/wardkit/wardkit/authn/authnsql"
	"github.com/wardkit/wardkit/examples/texts"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

var (
	_ authn.Texts = (*mfa.Factors)(nil)
	_ mfa.Windows = authn.Windows(nil)
)

// world is mfa with a carrier on the loopback and authn's windows.
type world struct {
	*mfa.Factors
	mu     sync.Mutex
	got    []map[string]string
	keys   []string
	status int
	events *audittest.Recorder
}

func (w *world) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var m map[string]string
	if json.Unmarshal(body, &m) == nil && r.Header.Get("Authorization") == "Bearer a-key" {
		w.got, w.keys = append(w.got, m), append(w.keys, r.Header.Get("Idempotency-Key"))
	}
	answer.WriteHeader(w.status)
	fmt.Fprintf(answer, "we got %s", body)
}

// noon is in the middle of an hour: budgets count by the hour.
var noon = time.Now().Truncate(time.Hour).Add(30 * time.Minute)

// nobody stands in for sessions and notices.
type nobody struct{}

func (nobody) EndAll(context.Context, audit.Tenant, audit.ActorID, string) error { return nil }
func (nobody) Notify(context.Context, audit.Message) error                       { return nil }

func newWorld(t *testing.T, windows mfa.Windows) *world {
	t.Helper()
	w := &world{status: http.StatusAccepted, events: audittest.NewRecorder()}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	vault, err := phi.Open(t.Context(), "texts", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	w.Factors, err = mfa.New(mfa.NewMemory(), vault, w.events, "Example Clinic", &mfa.Options{
		Now:      func() time.Time { return noon },
		Sessions: nobody{}, Notices: nobody{},
		Texts: &mfa.TextOptions{
			Sender: texts.Carrier{
				Client: &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
				URL:    server.URL, Key: "a-key", Clinic: "Example Clinic", Domain: "clinic.example.com",
			},
			Windows:    windows,
			Person:     mfa.TextBudget{Hour: 3},
			Unverified: 6,
		},
	})
	require.NoError(t, err)
	return w
}

func (w *world) begin(t *testing.T, tenant audit.Tenant, person audit.ActorID, number string) error {
	t.Helper()
	_, err := w.BeginText(me(t, tenant, person), tenant, person, number)
	return err
}

func me(t *testing.T, tenant audit.Tenant, person audit.ActorID) context.Context {
	t.Helper()
	return audit.WithActor(t.Context(), audit.Actor{ID: person, Kind: audit.KindStaff, Tenant: tenant, AuthTime: noon, Assurance: audit.AAL2})
}

var line = regexp.MustCompile(`^Example Clinic: [^\n]+\n\n@clinic\.example\.com #([0-9]{6})$`)

// code returns the code of the last message.
func (w *world) code(t *testing.T) string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.NotEmpty(t, w.got)
	found := line.FindStringSubmatch(w.got[len(w.got)-1]["text"])
	require.Len(t, found, 2)
	return found[1]
}

// everyWindows runs f with each kind of windows that authn has.
func everyWindows(t *testing.T, f func(t *testing.T, w mfa.Windows)) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) { f(t, authn.NewMemory()) })
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		open := authnsql.SQLite
		if e.Name == "postgres" {
			open = authnsql.Postgres
		}
		s, err := open(e.Pool)
		require.NoError(t, err)
		require.NoError(t, s.Migrate(t.Context()))
		f(t, s)
	})
	t.Run("redis", func(t *testing.T) {
		client, prefix := enginetest.Redis(t)
		w, err := authnredis.New(client, &authnredis.Options{Prefix: prefix})
		require.NoError(t, err)
		f(t, w)
	})
}

func TestFromTheCarrierToTheSignIn(t *testing.T) {
	everyWindows(t, func(t *testing.T, windows mfa.Windows) {
		w := newWorld(t, windows)
		require.NoError(t, w.begin(t, "clinic", "p-lin", "+14155550123"))
		ok, err := w.ConfirmText(me(t, "clinic", "p-lin"), "clinic", "p-lin", w.code(t))
		require.NoError(t, err)
		require.True(t, ok)
		_, err = w.SendText(t.Context(), "clinic", "p-lin")
		require.NoError(t, err)
		methods, err := w.VerifyText(t.Context(), "clinic", "p-lin", w.code(t))
		require.NoError(t, err)
		require.Equal(t, []string{"sms"}, methods)
		require.Equal(t, "+14155550123", w.got[1]["to"])
		require.NotEqual(t, w.keys[0], w.keys[1])
		require.NotEmpty(t, w.keys[0])
	})
}

// Budgets and the ratio hold on every kind of windows, with many requests at once.
func TestBudgetsOnEveryWindows(t *testing.T) {
	everyWindows(t, func(t *testing.T, windows mfa.Windows) {
		w := newWorld(t, windows)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				person := audit.ActorID(fmt.Sprintf("p-%d", i))
				if err := w.begin(t, "clinic", person, fmt.Sprintf("+1415555%04d", 100+i)); err != nil {
					var later interface{ RetryAfter() time.Duration }
					if !errors.As(err, &later) {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		require.Len(t, w.got, 6, "six without an answer, whoever asks")
		require.Len(t, w.events.Find(mfa.ActionTextAlarm), 1)
		require.NoError(t, w.begin(t, "clinic", "p-lin", "+12125550187"), "another range")
		require.NoError(t, w.begin(t, "other", "p-lin", "+14155550101"), "another tenant")
	})
}

// Whatever the carrier answers, the error quotes nothing of it and the code is dead.
func TestARefusingCarrier(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusFound, http.StatusBadRequest, http.StatusInternalServerError} {
		w := newWorld(t, authn.NewMemory())
		w.status = status
		err := w.begin(t, "clinic", "p-lin", "+14155550123")
		require.ErrorIs(t, err, mfa.ErrTextNotSent)
		require.NotContains(t, err.Error(), "5550123")
		ok, err := w.ConfirmText(me(t, "clinic", "p-lin"), "clinic", "p-lin", w.code(t))
		require.NoError(t, err)
		require.False(t, ok)
	}
}
