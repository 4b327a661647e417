// Package authn lets people in: it keeps who may sign in, checks passwords, walks every
// sign-in from step to step through one gate, and carries out what ends a right to be
// signed in so that nothing acknowledged can be undone by a race or a crash.
package authn
