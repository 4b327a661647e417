package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/audit/evidence/evidencesql"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/audit/incident/incidentsql"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/purge/purgesql"
	"github.com/wardkit/wardkit/audit/review"
	"github.com/wardkit/wardkit/audit/review/reviewsql"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogsql"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/authnsql"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/authn/machine/machinesql"
	"github.com/wardkit/wardkit/examples/seats"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/mfasql"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/deid"
	"github.com/wardkit/wardkit/phi/phisql"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
	"github.com/wardkit/wardkit/rbac/emergency/emergencysql"
	"github.com/wardkit/wardkit/rbac/rbacsql"
	"github.com/wardkit/wardkit/rbac/recert"
	"github.com/wardkit/wardkit/rbac/recert/recertsql"
	"github.com/wardkit/wardkit/rbac/support"
	"github.com/wardkit/wardkit/rbac/support/supportsql"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionsql"
)

// app is the clinic: wardkit's parts wired together, and the host's own tables.
type app struct {
	config config
	logger *slog.Logger
	pages  pages
	db     *database

	vault    *phi.Vault
	log      *audit.Log
	events   *auditsql.Store // what log keeps
	trees    *tlog.Log       // over events
	leaves   *tlogsql.Store  // what trees keeps
	sink     *tlog.FileSink  // checkpoints outside the database
	exporter *export.Exporter
	keeper   *purge.Keeper
	reviewer *review.Reviewer // of events
	sessions *session.Manager
	factors  *mfa.Factors
	people   *authn.Manager
	machines *machine.Manager
	access   *rbac.Authorizer

	patients *patients
	renewals *renewals
	claims   *claims
	drafts   *drafts
	papers   *papers
	choices  *choices
	checks   *checks
	grants   grants
	staff    *staff
	portal   *portal
	banners  *banners
	demo     *demo // nil without -demo
	handler  http.Handler
	attested *evidence.Attestations
	shreds   phi.ShredJournal // of patients whose data was destroyed
	shredder *phi.Shredder
	passkeys bool // browsers make them at the clinic's address

	incidents *incident.Desk
	campaigns *recert.Campaigns // of access reviews
	support   *support.Desk

	deidentifier *deid.Exporter[Patient]

	emergency *emergency.Desk[Patient]
	told      *deliveries // of notices about emergencies

	addr  session.ClientAddr
	redis *redis.Client // nil without -redis

	shredPool *sql.DB // nil without -shreds postgres://
}

// stores are wardkit's tables in the clinic's database.
type stores struct {
	incident *incidentsql.Store
	recert   *recertsql.Store
	support  *supportsql.Store

	phi     *phisql.Store
	audit   *auditsql.Store
	tlog    *tlogsql.Store
	purge   *purgesql.Store
	review  *reviewsql.Store
	session *sessionsql.Store
	mfa     *mfasql.Store
	authn   *authnsql.Store
	machine *machinesql.Store
	rbac    *rbacsql.Store
	attest  *evidencesql.Store

	emergency *emergencysql.Store
}

// open wires the clinic. What can fail without touching anything comes first.
func open(ctx context.Context, c config, logger *slog.Logger) (_ *app, err error) {
	a := &app{config: c, logger: logger, addr: c.clientAddr()}
	if a.pages, err = loadPages(); err != nil {
		return nil, err
	}
	_, missing := os.Stat(c.data)
	if err := prepareFolder(c, c.keyFile()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			a.close()
		}
		if err != nil && missing != nil {
			_ = os.Remove(c.data) // succeeds only while nothing is in it
		}
	}()
	if a.db, err = connect(ctx, c); err != nil {
		return nil, err
	}
	s, err := a.db.stores()
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, a.db); err != nil {
		return nil, fmt.Errorf("the database's tables: %w", err)
	}
	kms, err := openKey(ctx, c.keyFile(), a.db)
	if err != nil {
		return nil, err
	}
	if s.audit, err = a.db.auditStore(ctx, c); err != nil {
		return nil, err
	}
	if err := a.openShreds(ctx); err != nil {
		return nil, err
	}
	if a.vault, err = phi.Open(ctx, namespace, kms, s.phi, &phi.Options{CacheTTL: keyCache, Shreds: a.shreds}); err != nil {
		return nil, err
	}
	if err := a.wire(s); err != nil {
		return nil, err
	}
	a.handler, err = a.routes()
	return a, err
}

// wire builds the parts from the ground floor up.
func (a *app) wire(s *stores) (err error) {
	a.staff, a.portal, a.banners = &staff{a.db, a.vault}, &portal{a.db}, &banners{a.db}
	cursors, err := a.config.derive("wardkit clinic: cursors of the audit")
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	a.log, err = audit.New(s.audit, phi.NewSealer(a.vault), &audit.Options{
		Now: a.config.now, Server: audit.Server{ID: host}, Clock: audit.KernelClock, CursorKey: cursors, Logger: a.logger,
	})
	if err != nil {
		return err
	}
	if err := a.wireTrees(s); err != nil {
		return err
	}
	if err := errors.Join(a.wireRecords(s), a.wireReview(s), a.wireRetention(s), a.wireShred()); err != nil {
		return err
	}
	store, err := a.sessionStore(s.session)
	if err != nil {
		return err
	}
	a.sessions, err = session.New(store, a.log, a.addr, &session.Options{
		Policy:  firstRules(),
		Tenant:  func(*http.Request) audit.Tenant { return tenant },
		Network: allowed{a},
		Refuse:  a.refused,
		Logger:  a.logger,
	})
	if err != nil {
		return err
	}
	if err := a.wireFactors(s); err != nil {
		return err
	}
	policy, err := rules(s)
	if err != nil {
		return err
	}
	a.access, err = rbac.New(policy, a.grants, a.log, &rbac.Options{StepUps: a.sessions, Toggles: a.choices, Grants: grantRules(policy)})
	if err != nil {
		return err
	}
	if err := a.wirePeople(s); err != nil {
		return err
	}
	if err := errors.Join(a.wireEmergency(s), a.wireEvidence(s)); err != nil {
		return err
	}
	if err := errors.Join(a.wireIncidents(s), a.wireCampaigns(s), a.wireSupport(s)); err != nil {
		return err
	}
	return a.wireMachines(s)
}

// wireRecords makes what keeps the clinic's own records.
func (a *app) wireRecords(s *stores) (err error) {
	b := &books{a.db, a.log, s.audit}
	names, err := nameFrequencies(a.config.demo)
	if err != nil {
		return err
	}
	if a.patients, err = newPatients(b, a.vault, s.phi, names); err != nil {
		return err
	}
	if a.claims, err = newClaims(b, a.vault); err != nil {
		return err
	}
	if a.drafts, err = newDrafts(b, a.vault); err != nil {
		return err
	}
	if a.papers, err = newPapers(b, a.vault); err != nil {
		return err
	}
	if a.deidentifier, err = newDeidentifier(a.patients, a.log); err != nil {
		return err
	}
	a.choices, a.grants, a.checks = &choices{b}, grants{s.rbac}, newChecks(a, b)
	a.renewals, err = newRenewals(a, nil)
	return err
}

// clinicName is what devices call the clinic.
const clinicName = "Harbor Clinic"

// wireFactors makes the second factors. Text messages cost money and trust, so they need somebody who
// carries them: this clinic has only the demo's phone.
func (a *app) wireFactors(s *stores) error {
	keys, err := a.config.webAuthn()
	if err != nil {
		return err
	}
	a.passkeys = keys != nil
	o := &mfa.Options{Sessions: a.sessions, Notices: notices{a}, Required: a.factorRequired, WebAuthn: keys}
	if a.config.demo {
		a.demo = &demo{a.db, a.vault}
		o.Texts = &mfa.TextOptions{Sender: texts{a.demo}, Windows: s.authn}
	}
	a.factors, err = mfa.New(s.mfa, a.vault, a.log, clinicName, o)
	return err
}

func (a *app) wirePeople(s *stores) (err error) {
	parts := authn.Parts{
		Store: s.authn, Vault: a.vault, Sessions: a.sessions, Factor: a.factors,
		Recorder: a.log, Mailer: mailer{a.config.smtp, a.config.mailFrom}, BaseURL: a.config.baseURL,
	}
	o := &authn.Options{
		Admission: admission{seats.Seats{Access: a.access, Grants: a.grants}}, Context: []string{"harbor", "clinic"}, Logger: a.logger,
		Also: []authn.Ender{programs{a}},
	}
	if a.passkeys {
		o.Passkeys = a.factors
	}
	if a.demo != nil {
		parts.Mailer, parts.Factor, o.Texts = a.demo, phone{a.factors, a.demo}, a.factors
	}
	a.people, err = authn.New(parts, o)
	return err
}

// pick opens a store for the dialect in use.
func pick[S any](d *database, sqlite, postgres func(*sql.DB) (S, error), err *error) (s S) {
	if *err != nil {
		return s
	}
	open := sqlite
	if d.postgres {
		open = postgres
	}
	s, *err = open(d.pool)
	return s
}

func (d *database) stores() (*stores, error) {
	var err error
	s := &stores{
		incident: pick(d, incidentsql.SQLite, incidentsql.Postgres, &err),
		recert:   pick(d, recertsql.SQLite, recertsql.Postgres, &err),
		support:  pick(d, supportsql.SQLite, supportsql.Postgres, &err),

		phi:     pick(d, phisql.SQLite, phisql.Postgres, &err),
		tlog:    pick(d, tlogsql.SQLite, tlogsql.Postgres, &err),
		purge:   pick(d, purgesql.SQLite, purgesql.Postgres, &err),
		review:  pick(d, reviewsql.SQLite, reviewsql.Postgres, &err),
		session: pick(d, sessionsql.SQLite, sessionsql.Postgres, &err),
		mfa:     pick(d, mfasql.SQLite, mfasql.Postgres, &err),
		authn:   pick(d, authnsql.SQLite, authnsql.Postgres, &err),
		machine: pick(d, machinesql.SQLite, machinesql.Postgres, &err),
		rbac:    pick(d, rbacsql.SQLite, rbacsql.Postgres, &err),
		attest:  pick(d, evidencesql.SQLite, evidencesql.Postgres, &err),

		emergency: pick(d, emergencysql.SQLite, emergencysql.Postgres, &err),
	}
	return s, err
}

// migrate creates or updates every table. The order does not matter; running it again, from
// several processes at once, does no harm.
func (s *stores) migrate(ctx context.Context, d *database) error {
	for _, m := range []interface{ Migrate(context.Context) error }{s.emergency, s.phi, s.tlog, s.purge, s.review, s.session, s.mfa, s.authn, s.machine, s.incident, s.recert, s.rbac, s.attest, s.support} {
		if err := m.Migrate(ctx); err != nil {
			return err
		}
	}
	return d.migrate(ctx)
}

// auditStore opens the audit's tables and brings them up to date. On PostgreSQL it takes a key,
// the same on every server that shares the database: the servers share the key file, so it
// comes from there.
func (d *database) auditStore(ctx context.Context, c config) (*auditsql.Store, error) {
	key, err := c.derive("wardkit clinic: waiting audit entries")
	if err != nil {
		return nil, err
	}
	store, err := auditsql.SQLite(d.pool)
	if d.postgres {
		store, err = auditsql.Postgres(d.pool, key)
	}
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, fmt.Errorf("the database's tables: %w", err)
	}
	return store, nil
}

// background delivers what lifecycle changes left to deliver, renews keys, signs what the audit has
// come to, and keeps the audit's order and watches its clock, until ctx ends. The audit's own part ends last: what the others still do
// is recorded before recording is reported as ended. The clinic runs on a server of its own,
// so what its operator has to know goes to its own audit.
func (a *app) background(ctx context.Context) error {
	watched, ended := context.WithCancel(context.WithoutCancel(ctx))
	watching := make(chan error, 1)
	go func() { watching <- a.log.Run(watched, tenant) }()
	group, delivering := errgroup.WithContext(ctx)
	group.Go(func() error { return a.people.Run(delivering) })
	group.Go(func() error { return a.factors.Run(delivering) })
	group.Go(func() error { return a.sessions.Run(delivering) })
	group.Go(func() error { return a.machines.Run(delivering) })
	group.Go(func() error { return a.renewals.rotator.Run(delivering) })
	group.Go(func() error { return a.renewals.run(delivering) })
	group.Go(func() error { return a.trees.Run(delivering) })
	group.Go(func() error { return a.watchIncidents(delivering) })
	group.Go(func() error { return a.campaigns.Run(delivering) })
	group.Go(func() error { return a.support.Run(delivering) })
	group.Go(func() error { return a.emergency.Run(delivering) })
	group.Go(func() error { return a.keeper.Run(delivering) })
	group.Go(func() error { return a.reviewer.Run(delivering) })
	group.Go(func() error { return a.checks.run(delivering) })
	group.Go(func() error { return a.patients.fillTerms(delivering) })
	err := group.Wait()
	<-ctx.Done()
	ended()
	return errors.Join(err, <-watching)
}

func (a *app) close() {
	if a.redis != nil {
		_ = a.redis.Close()
	}
	if a.shredPool != nil {
		_ = a.shredPool.Close()
	}
	if a.db != nil {
		_ = a.db.pool.Close()
	}
}

// greet seeds what a first start needs and says where to go.
func (a *app) greet(ctx context.Context, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(audit.WithActor(ctx, audit.System(tenant, "setup")), 5*time.Minute)
	defer cancel()
	if err := a.unmixed(ctx); err != nil {
		return err
	}
	if err := a.finishShreds(ctx); err != nil {
		return err
	}
	if a.demo != nil {
		if err := a.seed(ctx); err != nil {
			return fmt.Errorf("seeding the demo: %w", err)
		}
		fmt.Fprintf(stdout, "The clinic is open at %s\nAccounts, mailbox and phone of the demo: %s/demo\n", a.config.baseURL, a.config.baseURL)
		return nil
	}
	link, err := a.firstAdmin(ctx)
	switch {
	case errors.Is(err, authn.ErrSetUpDone):
		fmt.Fprintf(stdout, "The clinic is open at %s\n", a.config.baseURL)
		return nil
	case err != nil:
		return fmt.Errorf("preparing the first administrator: %w", err)
	}
	fmt.Fprintf(stdout, "The clinic is open at %s\nSet up the first administrator, once, within 24 hours: %s\n", a.config.baseURL, link.Reveal())
	return nil
}
