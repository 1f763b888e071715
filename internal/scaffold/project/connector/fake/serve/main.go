// Command serve runs the fake platform for belfry plugin dev and belfry plugin test: it prints its address on the first line,
// and ends with whoever started it. What happens there it writes to standard error.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/belfry-news/belfry/internal/scaffold/project/connector/fake"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where it is served")
	token := flag.String("token", "dev", "the token that it wants")
	flag.Parse()
	log.SetFlags(0)
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	platform := &fake.Platform{Token: *token, Happened: func(what string) { log.Println(what) }}
	go func() { log.Fatal(http.Serve(ln, platform)) }()
	fmt.Printf("http://%s\n", ln.Addr())
	for parent := os.Getppid(); os.Getppid() == parent; { // until whoever started it has gone
		time.Sleep(time.Second)
	}
}
