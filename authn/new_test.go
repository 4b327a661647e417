package authn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	for name, breakIt := range map[string]func(*authn.Parts, *authn.Options){
		"store":         func(p *authn.Parts, _ *authn.Options) { p.Store = nil },
		"vault":         func(p *authn.Parts, _ *authn.Options) { p.Vault = nil },
		"sessions":      func(p *authn.Parts, _ *authn.Options) { p.Sessions = nil },
		"factor":        func(p *authn.Parts, _ *authn.Options) { p.Factor = nil },
		"recorder":      func(p *authn.Parts, _ *authn.Options) { p.Recorder = nil },
		"mailer":        func(p *authn.Parts, _ *authn.Options) { p.Mailer = nil },
		"no base":       func(p *authn.Parts, _ *authn.Options) { p.BaseURL = "" },
		"plain base":    func(p *authn.Parts, _ *authn.Options) { p.BaseURL = "http://clinic.example.com" },
		"relative base": func(p *authn.Parts, _ *authn.Options) { p.BaseURL = "/app" },
		"odd base":      func(p *authn.Parts, _ *authn.Options) { p.BaseURL = "javascript:alert(1)" },
		"user in base":  func(p *authn.Parts, _ *authn.Options) { p.BaseURL = "https://u:p@clinic.example.com" },
		"query in base": func(p *authn.Parts, _ *authn.Options) { p.BaseURL = "https://clinic.example.com/?x=1" },
		"broken base":   func(p *authn.Parts, _ *authn.Options) { p.BaseURL = "https://%zz" },
		"too many": func(_ *authn.Parts, o *authn.Options) {
			o.Throttle = authn.Limits{Free: 4, Base: time.Second, Max: time.Minute, Disable: 101}
		},
		"no delay": func(_ *authn.Parts, o *authn.Options) { o.Throttle = authn.Limits{Free: 4, Disable: 100} },
		"many free": func(_ *authn.Parts, o *authn.Options) {
			o.Throttle = authn.Limits{Free: 50, Base: time.Second, Max: time.Minute, Disable: 100}
		},
		"ticket life":  func(_ *authn.Parts, o *authn.Options) { o.TicketLife = 2 * time.Hour },
		"ticket tries": func(_ *authn.Parts, o *authn.Options) { o.TicketTries = 11 },
		"set-up life":  func(_ *authn.Parts, o *authn.Options) { o.SetUpLife = 25 * time.Hour },
		"invitation":   func(_ *authn.Parts, o *authn.Options) { o.InvitationLife = -1 },
		"reset life":   func(_ *authn.Parts, o *authn.Options) { o.ResetLife = 48 * time.Hour },
		"reset tries":  func(_ *authn.Parts, o *authn.Options) { o.ResetTries = -1 },
		"hashers":      func(_ *authn.Parts, o *authn.Options) { o.Hashers = -1 },
		"address":      func(_ *authn.Parts, o *authn.Options) { o.AddressWindow = -1 },
		"argon2":       func(_ *authn.Parts, o *authn.Options) { o.InsecureArgon2 = &authn.Argon2{} },
		"zero pepper":  func(_ *authn.Parts, o *authn.Options) { o.Peppers = []authn.Pepper{{}} },
		"two peppers":  func(_ *authn.Parts, o *authn.Options) { o.Peppers = []authn.Pepper{pepper(t, "v1"), pepper(t, "v1")} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, o := h.parts, h.options
			breakIt(&p, &o)
			_, err := authn.New(p, &o)
			require.Error(t, err)
		})
	}
	_, err := authn.New(authn.Parts{}, nil)
	require.ErrorContains(t, err, "lacks Store, Vault, Sessions, Factor, Recorder, Mailer, BaseURL", "all at once")
	for _, base := range []string{"https://clinic.example.com/app/", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:80"} {
		p := h.parts
		p.BaseURL = base
		_, err := authn.New(p, nil)
		require.NoError(t, err, base)
	}
}
