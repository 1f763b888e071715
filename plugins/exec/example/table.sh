#!/bin/sh
# Posts the rows of a table that another program keeps: id, title, address, date and text, with tabs between them.
# The whole table is printed each time, so a row that is gone is withdrawn.
exec awk -F '\t' '
function quoted(s) { gsub(/[\\"]/, "\\\\&", s); gsub(/[\001-\037]/, " ", s); return "\"" s "\"" }
NF { printf "{\"item\":{\"key\":%s,\"title\":%s,\"url\":%s,\"published\":%s,\"text\":%s}}\n",
     quoted($1), quoted($2), quoted($3), quoted($4), quoted($5) }
END { print "{\"cursor\":null,\"complete\":true}" }' "$1"
