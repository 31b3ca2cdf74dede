// Validates a built integration package, a folder or a zip, by the published specification: what is wrong goes to standard
// output, a line each, and the exit code is 1. Both ways of looking at it must be content: as a build, and as registries do.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/elastic/package-spec/v3/code/go/pkg/validator"
)

func main() {
	failed := false
	for _, mode := range []validator.Mode{validator.LegacyMode, validator.BuildMode} {
		if err := validate(mode, os.Args[1]); err != nil {
			failed = true
			fmt.Printf("%v: %v\n", mode, err)
		}
	}
	if failed {
		os.Exit(1)
	}
}

func validate(mode validator.Mode, path string) error {
	// Warnings stay warnings: that the build mode is a preview is one.
	v, err := validator.New(mode, validator.WithWarningsAsErrors(false))
	if err != nil {
		return err
	}
	if strings.HasSuffix(path, ".zip") {
		return v.ValidateFromZip(path)
	}
	return v.ValidateFromPath(path)
}
