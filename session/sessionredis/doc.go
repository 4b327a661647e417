// Package sessionredis keeps sessions in Redis, one server, a primary with replicas, or a
// Redis Cluster, for hosts with many servers. What has to outlive Redis, the tenants'
// policies and one random seed, stays in the host's SQL database.
//
//	durable, err := sessionsql.Postgres(db)
//	err = durable.Migrate(ctx)
//	client := redis.NewClient(&redis.Options{Addr: "…", ContextTimeoutEnabled: true})
//	store, err := sessionredis.New(client, durable, nil)
//	err = store.Check(ctx) // before the first request
//	sessions, err := session.New(store, log, session.RemoteAddr, nil)
//
// A request costs one round trip, with the tenant's policy in it. Conditions are scripts that
// run where the data is, so any number of servers may share a Redis, and what one ends is
// dead on all of them by the next request. Redis's clock decides nothing: a key's time to live
// only clears away what was over an hour before.
//
// # What a loss costs
//
// Whoever is not found has to sign in again. That is also the answer wherever Redis may have
// gone back in time: sessions belong to the one process and the one term of office as primary
// under which they began, and its script cache, which is neither saved nor replicated, is
// what a request proves that by. After a restart, a failover, or data loaded from an old
// file, everybody whose keys are on that server signs in again, so that no session comes back
// whose end was among the writes that were lost. Moving slots of a cluster to another server
// signs out whom they belong to.
//
// Redis cannot promise more than this: who writes old keys into a running primary (RESTORE,
// DEBUG RELOAD, or REPLICAOF there and back on live connections) can bring back sessions that
// were ended since; of the last of these the store learns with the next Purge. A primary that is
// cut off from its replicas answers on until its clients learn of its successor; with
// min-replicas-to-write it refuses to, and requests with it. Access to Redis is access to the
// sessions, as access to a database is: rows hold no token, only its SHA-256.
//
// # What the host must do
//
// Redis 7 or newer (Valkey 7.2 or newer), reached directly: a proxy that hides several servers
// behind one connection breaks what is said above. maxmemory-policy has to be noeviction;
// Check refuses another one, with which people would be signed out for no reason that anybody
// recorded. The account needs the script and hash commands, PTTL, PEXPIRE, UNLINK and INFO on
// keys that begin with the prefix. Policies are saved through this store and not beside it.
// Run session.Manager.Run: its purges are when the store asks servers again who they are.
//
// # Compatibility
//
// While wardkit is below 1.0 the Go API may change with a changelog entry. What is stored may
// change with any release, since it may be lost at any time.
package sessionredis
