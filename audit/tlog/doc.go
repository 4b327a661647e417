// Package tlog makes an audit log provable.
package tlog
