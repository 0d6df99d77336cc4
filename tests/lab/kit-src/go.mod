// The beginning of the go.mod of every part; build-kit adds what the part requires.
module kit

go 1.26.4
