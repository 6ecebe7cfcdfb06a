package netboxtest

type hook struct{}

func (s *Server) sendEvents(*txn) {}
