module atoll.local/lab/pause

go 1.26
