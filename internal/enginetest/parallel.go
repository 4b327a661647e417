package enginetest

import (
	"flag"
	"runtime"
	"strconv"
)

// Patient lets three times as many parallel tests run at once as there are processors, unless
// -parallel says how many. TestMain calls it where tests wait most of their time: for disks,
// servers, browsers, or the next code of a phone.
func Patient() {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
	}
}
