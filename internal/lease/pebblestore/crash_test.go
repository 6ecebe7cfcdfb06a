package pebblestore

const crashDirEnv = "PEBBLESTORE_CRASH_DIR"

func crashWriter(string) {}
