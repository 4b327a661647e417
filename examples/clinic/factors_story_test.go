package main

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

// TestFactors is what people do with passkeys and text messages, over HTTP alone: the pages work where
// the browser's part is played by a device made for tests.
func TestFactors(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		f := &factored{story: tell(t, args...)}
		f.boss, f.iris, f.paul = f.enter(), f.enter(), f.enter()
		f.boss.signIn(alma, demoPassword)
		f.iris.signIn(iris, demoPassword)
		f.texts()
		f.passkeys()
		f.rules()
		f.browsers()
	})
}

type factored struct {
	*story
	boss, iris, paul *person
	key              *passkeytest.Device
}

// asks returns what the page asks a passkey for.
func (p page) asks(t *testing.T) []byte {
	t.Helper()
	return []byte(p.match(t, `data-options="([^"]+)"`))
}

// offer asks for what the sign-in page's script asks.
func (p *person) offer() []byte {
	p.t.Helper()
	at := p.post("/sign-in/offer", nil)
	require.Equal(p.t, http.StatusOK, at.status, at.body)
	text := strings.TrimSuffix(strings.TrimPrefix(at.body, `{"options":`), "}")
	return []byte(text)
}

// texted is the code of the last text message to a number.
func (p *person) texted(number string) string {
	p.t.Helper()
	body := html.UnescapeString(p.get("/demo").body)
	m := regexp.MustCompile(`To ` + regexp.QuoteMeta(number) + ` [^<]*</h3><p>(\d{6}) is your code`).FindStringSubmatch(body)
	require.NotNil(p.t, m, "no message to %s", number)
	return m[1]
}

func (f *factored) accountRules(t *testing.T, passkeys string, texts bool) page {
	t.Helper()
	at := f.boss.sure(f.boss.get("/settings/accounts"))
	form := url.Values{
		"version": {at.match(t, `name="version" value="(\d+)"`)}, "passkeys": {passkeys}, "reproof": {"one"},
		"factor-staff": {"required"}, "factor-patients": {"optional"}, "days-staff": {"90"}, "days-patients": {"90"},
	}
	if texts {
		form.Set("texts", "yes")
	}
	return f.boss.post("/settings/accounts", form)
}

func (f *factored) texts() {
	const number, shown = "(212) 555-0147", "+12125550147"
	f.step("text_messages_are_off_until_the_clinic_takes_them", func(t *testing.T) {
		require.Equal(t, "/security", f.iris.get("/security/number").path)
		require.NotContains(t, f.iris.get("/security").text(), "Text messages")
		at := f.boss.sure(f.boss.get("/settings/accounts"))
		require.Contains(t, at.text(), "NIST calls it restricted")
		require.Equal(t, "/settings/accounts?done=accounts", f.accountRules(t, keysAlone, true).path)
	})
	f.step("a_number_is_theirs_once_its_code_was_typed", func(t *testing.T) {
		require.Contains(t, f.iris.get("/security/number").text(), "This is the weakest way.")
		require.Equal(t, http.StatusUnprocessableEntity, f.iris.post("/security/number", url.Values{"number": {"911"}}).status)
		at := f.iris.post("/security/number", url.Values{"number": {"+44 20 7946 0123"}})
		require.Contains(t, at.text(), "sends no messages to that country")
		at = f.iris.post("/security/number", url.Values{"number": {number}})
		require.Equal(t, http.StatusOK, at.status, at.text())
		require.Contains(t, at.text(), "We sent six digits")
		require.Contains(t, f.iris.post("/security/number", url.Values{"number": {number}}).text(), "A message was sent already")
		wrong := "000000"
		if code := f.iris.texted(shown); code == wrong {
			wrong = "000001"
		}
		at = f.iris.post("/security/number/confirm", url.Values{"code": {wrong}})
		require.Contains(t, at.text(), "That code is not right")
		at = f.iris.post("/security/number/confirm", url.Values{"code": {f.iris.texted(shown)}})
		require.Equal(t, "/security?done=number-on", at.path, at.text())
		require.Contains(t, at.text(), "The weakest way")
		require.NotContains(t, at.body, "555-0147", "only how it ends")
		require.Contains(t, f.boss.get("/team").table(), []string{"Iris Lund", "Front Desk", "Active", "App, Text message"})
	})
	f.step("a_code_by_text_message_is_the_second_step", func(t *testing.T) {
		other := f.enter()
		at := other.post("/sign-in", credentials(iris))
		require.Equal(t, "/sign-in/code", at.path)
		require.Contains(t, at.text(), "Send a code to")
		at = other.post("/sign-in/code", url.Values{"factor": {"text"}, "send": {"yes"}})
		require.Contains(t, at.text(), "We sent six digits", at.text())
		code := other.texted(shown)
		at = other.post("/sign-in/code", url.Values{"factor": {"app"}, "code": {code}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status, "not as a code of the app")
		at = other.post("/sign-in/code", url.Values{"factor": {"text"}, "code": {code}})
		require.Equal(t, "/dashboard", at.path, at.text())
		thief := f.enter()
		thief.post("/sign-in", credentials(iris))
		at = thief.post("/sign-in/code", url.Values{"factor": {"text"}, "code": {code}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status, "once")
	})
	f.step("switched_off_it_opens_nothing_any_more", func(t *testing.T) {
		require.Equal(t, "/settings/accounts?done=accounts", f.accountRules(t, keysAlone, false).path)
		other := f.enter()
		at := other.post("/sign-in", credentials(iris))
		require.NotContains(t, at.text(), "Send a code to")
		at = other.post("/sign-in/code", url.Values{"factor": {"text"}, "send": {"yes"}})
		require.NotContains(t, at.text(), "We sent")
		require.NotContains(t, other.cookies, sessionCookie)
	})
}

func (f *factored) passkeys() {
	f.step("guided_set_up_takes_a_passkey", func(t *testing.T) {
		f.key = passkeytest.New(f.clinic.base)
		at := f.paul.post("/sign-in", credentials(paul))
		require.Equal(t, "/sign-in/enrol", at.path)
		require.Less(t, strings.Index(at.body, "Make a passkey"), strings.Index(at.body, "manual-key"), "first")
		made, err := f.key.Create(at.asks(t))
		require.NoError(t, err)
		at = f.paul.post("/sign-in/enrol", url.Values{"passkey": {string(made)}})
		require.Equal(t, "/dashboard", at.path, at.text())
		f.boss.letter(paul, "A passkey was added to your account.")
		require.Contains(t, f.boss.get("/team").table(), []string{"Paul Serra", "Finance", "Active", "Passkey"})
	})
	f.step("it_signs_in_without_a_name_once_per_answer", func(t *testing.T) {
		other := f.enter()
		require.Contains(t, other.get("/sign-in").body, `data-offer="/sign-in/offer"`)
		answer, err := f.key.Get(other.offer())
		require.NoError(t, err)
		ticket := other.cookies
		elsewhere := f.enter()
		elsewhere.offer()
		at := elsewhere.post("/sign-in/passkey", url.Values{"passkey": {string(answer)}})
		require.Equal(t, http.StatusUnauthorized, at.status, "the question was another browser's")
		kept := map[string]string{}
		for name, value := range ticket {
			kept[name] = value
		}
		at = other.post("/sign-in/passkey", url.Values{"passkey": {string(answer)}})
		require.Equal(t, "/dashboard", at.path, at.text())
		again := f.enter()
		again.cookies = kept
		at = again.post("/sign-in/passkey", url.Values{"passkey": {string(answer)}})
		require.Equal(t, "/sign-in?out=over", at.path, "once")
	})
	f.step("its_owner_gives_it_a_name", func(t *testing.T) {
		at := f.paul.get("/security")
		id := at.match(t, `/security/passkeys/([^/]+)/rename`)
		require.Equal(t, http.StatusUnprocessableEntity, f.paul.post("/security/passkeys/"+id+"/rename", url.Values{"label": {" "}}).status)
		at = f.paul.post("/security/passkeys/"+id+"/rename", url.Values{"label": {"<b>My phone</b>"}})
		require.Equal(t, "/security?done=passkey-renamed", at.path)
		require.Contains(t, at.text(), "<b>My phone</b>", "as it was typed, and no more than text")
		require.NotContains(t, at.body, "<b>My phone")
		require.Equal(t, http.StatusNotFound, f.iris.post("/security/passkeys/"+id+"/rename", url.Values{"label": {"mine"}}).status, "nobody else does")
		require.Contains(t, []int{http.StatusNotFound, http.StatusUnauthorized}, f.iris.post("/security/passkeys/"+id+"/remove", nil).status)
		require.Contains(t, f.boss.get("/team/demo-finance").text(), "Passkey “<b>My phone</b>”")
	})
	f.step("the_last_one_stays_where_a_second_factor_is_required", func(t *testing.T) {
		id := f.paul.get("/security").match(t, `/security/passkeys/([^/]+)/remove`)
		at := f.paul.post("/security/passkeys/"+id+"/remove", nil)
		require.Equal(t, http.StatusConflict, at.status, at.text())
		require.Contains(t, at.text(), "It is your last one")
	})
	f.step("an_administrator_resets_it", func(t *testing.T) {
		at := f.boss.post("/team/demo-finance/reset-factor", url.Values{"why": {"lost laptop"}})
		if at.status == http.StatusUnauthorized {
			at = f.boss.sure(at)
		}
		require.Equal(t, "/team/demo-finance?done=factor-reset", at.path, at.text())
		other := f.enter()
		answer, err := f.key.Get(other.offer())
		require.NoError(t, err)
		at = other.post("/sign-in/passkey", url.Values{"passkey": {string(answer)}})
		require.Equal(t, http.StatusUnauthorized, at.status)
		require.Contains(t, at.text(), "This passkey was not accepted")
		require.Equal(t, "/sign-in/enrol", f.enter().post("/sign-in", credentials(paul)).path)
	})
}

func (f *factored) rules() {
	f.step("the_clinic_says_what_passkeys_are_good_for", func(t *testing.T) {
		paul2 := f.enter()
		at := paul2.post("/sign-in", credentials(paul))
		f.key = passkeytest.New(f.clinic.base)
		made, err := f.key.Create(at.asks(t))
		require.NoError(t, err)
		require.Equal(t, "/dashboard", paul2.post("/sign-in/enrol", url.Values{"passkey": {string(made)}}).path)
		require.Equal(t, http.StatusUnprocessableEntity, f.accountRules(t, "perhaps", false).status)

		offered := f.enter()
		answer, err := f.key.Get(offered.offer())
		require.NoError(t, err)
		require.Equal(t, "/settings/accounts?done=accounts", f.accountRules(t, keysSecond, false).path)
		at = offered.post("/sign-in/passkey", url.Values{"passkey": {string(answer)}})
		require.NotContains(t, offered.cookies, sessionCookie, "a question of before")
		require.Contains(t, at.text(), "This clinic asks for the password first.")
		require.NotContains(t, offered.get("/sign-in").text(), passkeyButton)
		require.Contains(t, offered.post("/sign-in/offer", nil).body, "password first")

		at = offered.post("/sign-in", credentials(paul))
		require.Equal(t, "/sign-in/code", at.path)
		answer, err = f.key.Get(at.asks(t))
		require.NoError(t, err)
		require.Equal(t, "/dashboard", offered.post("/sign-in/code", url.Values{"passkey": {string(answer)}}).path)

		require.Equal(t, "/settings/accounts?done=accounts", f.accountRules(t, keysOff, false).path)
		require.Contains(t, offered.get("/security").text(), "This clinic takes no passkeys now.")
		require.Equal(t, http.StatusConflict, offered.get("/security/passkeys/new").status)
		require.Equal(t, "/settings/accounts?done=accounts", f.accountRules(t, keysAlone, false).path)
	})
	f.step("one_factor_alone_adds_no_passkey", func(t *testing.T) {
		form := url.Values{fieldAction: {string(ownSecurity)}, fieldTo: {"/security/passkeys/new"}, fieldMethod: {http.MethodGet}, fieldPassword: {demoPassword}}
		at := f.iris.post("/confirm", form)
		require.Equal(t, http.StatusUnprocessableEntity, at.status, at.text())
		require.Contains(t, at.text(), "One of them alone is not enough")
		require.Contains(t, at.text(), "Change my ways to sign in")
		require.Contains(t, at.text(), "And a code from your app")
		at = f.iris.proves(at, url.Values{fieldPassword: {demoPassword}, fieldCode: {f.iris.code()}})
		require.Equal(t, "/security/passkeys/new", at.path, at.text())
		require.NotEmpty(t, at.asks(t))
	})
}

func (f *factored) browsers() {
	f.step("known_browsers_are_listed_and_forgotten", func(t *testing.T) {
		at := f.iris.get("/security")
		require.Contains(t, at.text(), "Browsers I have used")
		require.Contains(t, at.text(), "this browser")
		id := at.match(t, `this browser(?s:.*?)/security/browsers/([^/]+)/forget`)
		require.Equal(t, http.StatusNotFound, f.boss.post("/security/browsers/"+id+"/forget", nil).status, "nobody forgets another's")
		at = f.iris.post("/security/browsers/"+id+"/forget", nil)
		require.Equal(t, "/security?done=browser-forgotten", at.path)
		require.NotContains(t, at.text(), "this browser")
		at = f.iris.post("/security/browsers/forget-all", nil)
		require.NotContains(t, at.text(), "Browsers I have used")
	})
}
