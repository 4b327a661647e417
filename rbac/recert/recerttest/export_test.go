package recerttest

// What the tests of the suite itself look at.
var (
	Rules        = rules
	FullCampaign = func() any { return full(clinic, 1) }
	FullItem     = func() any { return item(1) }
)
