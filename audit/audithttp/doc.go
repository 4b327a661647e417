// Package audithttp holds HTTP responses back until what they reveal is on record.
package audithttp
