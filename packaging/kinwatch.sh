#!/bin/sh
# What a developer set for programs of their own is not for this one.
unset NODE_OPTIONS NODE_PATH
exec @NODE@ /usr/lib/kinwatch/kinwatch.js "$@"
