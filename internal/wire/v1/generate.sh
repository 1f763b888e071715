#!/bin/sh
# Writes the code of the protocol, in Go and in Python, from its .proto files. Needs protoc (Debian: protobuf-compiler) 3.21 or newer.
set -eu
cd "$(dirname "$0")/../../.."
gen() { go tool -modfile=tools/go.mod -n "$1"; }
protoc -I sdk/plugin/proto \
	--plugin="protoc-gen-go=$(gen protoc-gen-go)" --plugin="protoc-gen-go-grpc=$(gen protoc-gen-go-grpc)" \
	--go_out=. --go_opt=module=github.com/belfry-news/belfry \
	--go-grpc_out=. --go-grpc_opt=module=github.com/belfry-news/belfry \
	sdk/plugin/proto/belfry/plugin/v1/*.proto
# The messages for the example in Python, which needs no other generated code.
protoc -I sdk/plugin/proto --python_out=plugins/example-python sdk/plugin/proto/belfry/plugin/v1/*.proto
