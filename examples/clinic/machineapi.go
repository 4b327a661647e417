package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/rbac"
)

// apiPrefix is where programs go. Nothing there knows sessions or cookies, and nothing elsewhere
// knows keys: a request is a person's or a program's by its address, and never both.
const apiPrefix = "/api/"

// api serves programs: the same actions and the same filters as the pages, as JSON.
func (a *app) api() (http.Handler, error) {
	mux := a.apiMux()
	if err := mux.Err(); err != nil {
		return nil, err
	}
	o := &machine.HTTPOptions{Refuse: func(w http.ResponseWriter, _ *http.Request, status int) { refuseJSON(w, status, "") }}
	enter, token := a.machines.Handler(machine.ClientAddr(a.addr), mux, o), a.machines.TokenHandler(machine.ClientAddr(a.addr), o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == apiPrefix+"token" {
			token.ServeHTTP(w, r)
			return
		}
		enter.ServeHTTP(w, r)
	}), nil
}

func (a *app) apiMux() *rbac.Mux {
	mux := rbac.NewMux(a.access, &rbac.HTTPOptions{
		Tenant: tenant,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, code rbac.Code) {
			refuseJSON(w, status, string(code))
		},
	})
	rbac.HandleList(mux, "GET /api/patients", patientRead, a.apiPatients)
	rbac.HandleList(mux, "GET /api/claims", claimRead, a.apiClaims)
	one := rbac.For(mux, func(ctx context.Context, r *http.Request) (Patient, error) {
		return a.patients.get(ctx, r.PathValue("patient"))
	})
	one.Handle("GET /api/patients/{patient}", patientRead, a.apiPatient)
	one.Handle("GET /api/patients/{patient}/note", noteRead, a.apiNote)
	return mux
}

// split sends programs to the API and people to the pages.
func split(api, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, apiPrefix) {
			api.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// refuseJSON answers a program that is not let through; 401, 403 and 429 say more in their headers.
func refuseJSON(w http.ResponseWriter, status int, code string) {
	if code == "" {
		code = strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	}
	writeJSON(w, status, map[string]string{"error": code})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// apiPatientRow is a patient as the API tells it.
type apiPatientRow struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	MRN  string `json:"mrn"`
	Born string `json:"born"`
	Note string `json:"note,omitempty"`
}

func (a *app) apiPatients(w http.ResponseWriter, r *http.Request, f rbac.Filter[Patient]) {
	found, err := a.patients.list(r.Context(), f, "", r.URL.Query().Get("after"))
	if err != nil {
		refuseJSON(w, http.StatusServiceUnavailable, "")
		return
	}
	out := struct {
		Patients []apiPatientRow `json:"patients"`
		Next     string          `json:"next,omitempty"`
	}{Patients: []apiPatientRow{}}
	if len(found) > pageSize {
		found = found[:pageSize]
		out.Next = found[pageSize-1].ID
	}
	for _, p := range found {
		row := apiPatientRow{ID: p.ID}
		if err := show(r.Context(), into{p.Name, &row.Name}, into{p.MRN, &row.MRN}, into{p.Birth, &row.Born}); err != nil {
			refuseJSON(w, http.StatusServiceUnavailable, "")
			return
		}
		out.Patients = append(out.Patients, row)
	}
	writeJSON(w, http.StatusOK, out)
}

func (a *app) apiPatient(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	p := g.Resource()
	row := apiPatientRow{ID: p.ID}
	if err := show(r.Context(), into{p.Name, &row.Name}, into{p.MRN, &row.MRN}, into{p.Birth, &row.Born}); err != nil {
		refuseJSON(w, http.StatusServiceUnavailable, "")
		return
	}
	writeJSON(w, http.StatusOK, row)
}

func (a *app) apiNote(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	p := g.Resource()
	row := apiPatientRow{ID: p.ID}
	if err := show(r.Context(), into{p.Note, &row.Note}); err != nil {
		refuseJSON(w, http.StatusServiceUnavailable, "")
		return
	}
	writeJSON(w, http.StatusOK, row)
}

// apiClaimRow is a claim as the API tells it: nothing clinical.
type apiClaimRow struct {
	ID      string `json:"id"`
	Patient string `json:"patient"`
	State   string `json:"state"`
	Served  string `json:"served"`
}

func (a *app) apiClaims(w http.ResponseWriter, r *http.Request, f rbac.Filter[Claim]) {
	found, err := a.claims.list(r.Context(), f, "", r.URL.Query().Get("before"))
	if err != nil {
		refuseJSON(w, http.StatusServiceUnavailable, "")
		return
	}
	out := struct {
		Claims []apiClaimRow `json:"claims"`
		Next   string        `json:"next,omitempty"`
	}{Claims: []apiClaimRow{}}
	if len(found) == claimPageSize {
		out.Next = found[claimPageSize-1].ID
	}
	for _, c := range found {
		row := apiClaimRow{ID: c.ID, Patient: string(c.Patient), State: string(c.State)}
		if err := show(r.Context(), into{c.Served, &row.Served}); err != nil {
			refuseJSON(w, http.StatusServiceUnavailable, "")
			return
		}
		out.Claims = append(out.Claims, row)
	}
	writeJSON(w, http.StatusOK, out)
}
