package machine

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// Rights tells what somebody may give away; rbac.Authorizer is one.
type Rights interface {
	// MayGrant reports whether the person in ctx may do the action themselves, somewhere or
	// everywhere in the tenant, and a program can do it at all. An error means that it could not be
	// found out: nothing is granted.
	MayGrant(ctx context.Context, action audit.Action, everywhere bool) (bool, error)
}

// People tells who may act; authn.Manager is one.
type People interface {
	// Active reports whether the person may act now: there, neither suspended nor removed. It is
	// asked with each request about who answers for the principal and whom it acts for. An error
	// means that it could not be found out: nobody is let in.
	Active(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error)
}

// Network says from where programs may come, and whether their tenant is open; it is the shape of
// session.Network, and authn.Manager is one.
type Network interface {
	// Allowed reports whether actors of kind k in tenant t may come from addr, which is the zero
	// Addr where it is not known. An error means no.
	Allowed(ctx context.Context, t audit.Tenant, k audit.Kind, addr netip.Addr) (bool, error)
}

// Parts is what a Manager is built from. Every field is required.
type Parts struct {
	Store    Store
	Rights   Rights
	People   People
	Windows  authn.Windows // counts requests: a store of authn, or authnredis.Windows
	Recorder audit.Recorder
}

// Options changes a Manager's defaults. The zero value is safe.
type Options struct {
	// Prefix is what keys begin with, 2 to 12 lower-case letters and digits. Default "wk". A key
	// with another prefix is refused, so it does not change while keys are out.
	Prefix string
	// Network is asked with each request. Default: every address, every tenant.
	Network Network
	// Tenant is whose log takes failures with credentials that lead to nobody. Default: none, and
	// they are not recorded.
	Tenant audit.Tenant

	// MaxService and MaxAgent are how long a principal and its keys live at most. Defaults 365 and
	// 90 days; at most 365 days.
	MaxService, MaxAgent time.Duration
	// MaxKeys is how many live keys a principal has at most, 2 to 5. Default 3.
	MaxKeys int
	// MaxOverlap is how long a replaced key lives on at most. Default 7 days, at most 30.
	MaxOverlap time.Duration
	// TokenLife is how long an access token lives. Default 10 minutes, at most 15.
	TokenLife time.Duration

	// ServiceRate and AgentRate are how many requests a principal has per minute. Defaults 600 and
	// 120.
	ServiceRate, AgentRate int
	// BadKeys is how many failures one address (IPv6: one /64) has in 10 minutes before it is told
	// to wait. Default 30.
	BadKeys int

	// Timeout is how long a request waits for the parts that decide about it. Default 5 seconds,
	// at most a minute.
	Timeout time.Duration

	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger hears of sweeps that fail. Default: nobody.
	Logger *slog.Logger
}

const (
	day        = 24 * time.Hour
	rateWindow = time.Minute
	badWindow  = 10 * time.Minute
	// maxStrangers is how many failures of nobody's credentials a tenant's log takes in badWindow.
	maxStrangers = 1000
	touchGrain   = time.Minute // how old Used may be before it is written again
)

// withDefaults fills in what is zero and refuses what is out of range.
func (o *Options) withDefaults() (Options, error) {
	var full Options
	if o != nil {
		full = *o
	}
	set(&full.Prefix, "wk")
	set(&full.MaxService, 365*day)
	set(&full.MaxAgent, 90*day)
	set(&full.MaxKeys, 3)
	set(&full.MaxOverlap, 7*day)
	set(&full.TokenLife, 10*time.Minute)
	set(&full.ServiceRate, 600)
	set(&full.AgentRate, 120)
	set(&full.BadKeys, 30)
	set(&full.Timeout, 5*time.Second)
	if full.Now == nil {
		full.Now = time.Now
	}
	if full.Logger == nil {
		full.Logger = slog.New(slog.DiscardHandler)
	}
	for _, rule := range []struct {
		ok   bool
		what string
	}{
		{validPrefix(full.Prefix), "Prefix: needs 2 to 12 lower-case letters and digits, a letter first"},
		{within(full.MaxService, 365*day) && within(full.MaxAgent, 365*day), "MaxService, MaxAgent: must be positive, 365 days at most"},
		{full.MaxKeys >= 2 && full.MaxKeys <= 5, "MaxKeys: must be 2 to 5"},
		{within(full.MaxOverlap, 30*day), "MaxOverlap: must be positive, 30 days at most"},
		{full.TokenLife >= time.Second && full.TokenLife <= 15*time.Minute, "TokenLife: must be 1 second to 15 minutes"},
		{full.ServiceRate > 0 && full.AgentRate > 0, "ServiceRate, AgentRate: must be positive"},
		{full.BadKeys > 0, "BadKeys: must be positive"},
		{within(full.Timeout, time.Minute), "Timeout: must be positive, 1 minute at most"},
	} {
		if !rule.ok {
			return Options{}, errors.New("machine: Options." + rule.what)
		}
	}
	return full, nil
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func within(d, limit time.Duration) bool { return d > 0 && d <= limit }

// check refuses missing parts, all of them at once: the zero value of none of them is safe.
func (p Parts) check() error {
	var missing []string
	for _, part := range []struct {
		missing bool
		name    string
	}{
		{p.Store == nil, "Store"},
		{p.Rights == nil, "Rights"},
		{p.People == nil, "People"},
		{p.Windows == nil, "Windows"},
		{p.Recorder == nil, "Recorder"},
	} {
		if part.missing {
			missing = append(missing, part.name)
		}
	}
	if len(missing) > 0 {
		return errors.New("machine: Parts lacks " + strings.Join(missing, ", "))
	}
	return nil
}
