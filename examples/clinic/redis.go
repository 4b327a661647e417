package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
	"github.com/wardkit/wardkit/session/sessionsql"
)

// sessionStore is where sessions are kept: the database, or the Redis that -redis names, beside
// which the database keeps the rules.
func (a *app) sessionStore(durable *sessionsql.Store) (session.Store, error) {
	if a.config.redis == "" {
		return durable, nil
	}
	options, err := redis.ParseURL(a.config.redis)
	if err != nil {
		return nil, errors.New("-redis: want redis://host:port/number") // without quoting it: it may hold a password
	}
	options.ContextTimeoutEnabled = true
	a.redis = redis.NewClient(options)
	store, err := sessionredis.New(a.redis, durable, &sessionredis.Options{Prefix: a.config.redisPrefix})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := store.Check(ctx); err != nil {
		return nil, fmt.Errorf("-redis: %w", err)
	}
	return store, nil
}

// clientAddr says where a request comes from: the other end of the connection, or what the
// proxies that -proxy names vouch for.
func (c config) clientAddr() session.ClientAddr {
	if len(c.proxies) == 0 {
		return session.RemoteAddr
	}
	return session.TrustedProxy(c.proxies...)
}

// parseProxies reads the value of -proxy.
func parseProxies(list string) (all []netip.Prefix, err error) {
	for _, text := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil || p.Bits() == 0 {
			return nil, errors.New("-proxy: want networks such as 10.0.0.0/8,192.0.2.7/32")
		}
		all = append(all, p)
	}
	return all, nil
}
