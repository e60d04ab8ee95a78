package access_test

import (
	"context"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/server/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// described are the calls of all services that this program knows.
func described() (methods []string) {
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				methods = append(methods, "/"+string(service.FullName())+"/"+string(service.Methods().Get(j).Name()))
			}
		}
		return true
	})
	slices.Sort(methods)
	return methods
}

// A call that nobody thought about is refused to everybody; this finds it before it is missed.
func TestTableHasEveryCall(t *testing.T) {
	var listed []string
	for method := range access.Rules() {
		listed = append(listed, method)
	}
	slices.Sort(listed)
	if all := described(); !slices.Equal(listed, all) || len(all) < 20 {
		t.Errorf("the table and the services differ:\ntable %q\nservices %q", listed, all)
	}
}

var documentedRow = regexp.MustCompile("(?m)^\\| `(/[^`]+)` \\| ([a-z]+) \\| (yes|no) \\|$")

// documented is who may call what, as docs/security.md says.
func documented(t *testing.T) map[string]map[string]bool {
	t.Helper()
	document, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	includes := map[string][]string{
		"reader": {"reader", "writer", "operator"}, "writer": {"writer", "operator"}, "operator": {"operator"}, "member": nil,
	}
	rows := map[string]map[string]bool{}
	for _, row := range documentedRow.FindAllStringSubmatch(string(document), -1) {
		roles, known := includes[row[2]]
		if !known {
			t.Fatalf("%s: unknown role %q", row[1], row[2])
		}
		rows[row[1]] = map[string]bool{"member": row[3] == "yes"}
		for _, role := range roles {
			rows[row[1]][role] = true
		}
	}
	return rows
}

// Every call by every role, over real connections, is answered as docs/security.md says.
func TestWhoMayCallWhat(t *testing.T) {
	c := newCluster(t)
	address := c.serve()
	rows := documented(t)
	for _, role := range []tlsauth.Role{tlsauth.Reader, tlsauth.Writer, tlsauth.Operator, tlsauth.Member} {
		conn := c.connect(address, role)
		for _, method := range described() {
			t.Run(role.String()+method, func(t *testing.T) {
				may, isDocumented := rows[method]
				if !isDocumented {
					t.Fatal("docs/security.md does not say who may make this call")
				}
				err := call(t, conn, method)
				s := status.Convert(err)
				if may[role.String()] {
					if s.Code() != codes.Aborted || s.Message() != "reached by "+role.String()+" x" {
						t.Fatalf("refused: %v", err)
					}
					return
				}
				if s.Code() != codes.PermissionDenied || !strings.Contains(s.Message(), "needs the role") {
					t.Fatalf("got %v, want a refusal that names the role", err)
				}
				wantNotDone(t, s)
			})
		}
		if err := call(t, conn, "/ballast.v1.MoneyService/Mint"); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: a call that does not exist: %v", role, err)
		}
	}
	if len(rows) != len(described()) {
		t.Errorf("docs/security.md has %d calls, there are %d", len(rows), len(described()))
	}
}

var documentedPage = regexp.MustCompile("(?m)^\\| `GET (/[^`]+)`[^|]*\\| ([a-z]+) \\| (yes|no) \\|$")

// Every page by every role is answered as docs/security.md says.
func TestWhoMayLookAtWhat(t *testing.T) {
	document, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	guard := access.NewGuard(hclog.NewNullLogger())
	rows := documentedPage.FindAllStringSubmatch(string(document), -1)
	if len(rows) != len(access.Pages()) {
		t.Errorf("docs/security.md has %d pages, there are %d", len(rows), len(access.Pages()))
	}
	for _, row := range rows {
		least, err := tlsauth.ParseRole(row[2])
		if _, ok := access.Pages()[row[1]]; !ok || err != nil {
			t.Errorf("%s: is it a page? %v", row[1], err)
		}
		for _, role := range []tlsauth.Role{tlsauth.Reader, tlsauth.Writer, tlsauth.Operator, tlsauth.Member} {
			may := role.Includes(least) || role == tlsauth.Member && row[3] == "yes"
			err := guard.CheckPage(row[1], "127.0.0.1:1", tlsauth.Identity{Role: role}, nil)
			if (err == nil) != may {
				t.Errorf("%s by %s: %v", row[1], role, err)
			}
		}
		if guard.CheckPage(row[1], "127.0.0.1:1", tlsauth.Identity{Role: tlsauth.Operator}, context.Canceled) == nil {
			t.Errorf("%s: answered to somebody whose certificate was refused", row[1])
		}
	}
}

// Without a certificate of this cluster there is nothing that anybody may call.
func TestStrangersMayCallNothing(t *testing.T) {
	none := tlsauth.Identity{}
	for _, method := range described() {
		if err := access.Rules().Check(method, none, nil); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s by nobody: %v", method, err)
		}
		boss := tlsauth.Identity{Role: tlsauth.Operator}
		err := access.Rules().Check(method, boss, context.Canceled)
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s by somebody whose certificate was refused: %v", method, err)
		}
		wantNotDone(t, status.Convert(err))
	}
}

func wantNotDone(t *testing.T, s *status.Status) {
	t.Helper()
	for _, detail := range s.Details() {
		if f, ok := detail.(*ballastv1.Failure); ok && f.GetOutcome() == ballastv1.Outcome_OUTCOME_NOT_DONE {
			return
		}
	}
	t.Errorf("the refusal does not say that nothing was done: %v", s.Details())
}

// call makes a call without a message, as a stream: all kinds of calls are the same on the wire.
func call(t *testing.T, conn *grpc.ClientConn, method string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	return stream.RecvMsg(nil)
}

// cluster makes certificates.
type cluster struct {
	t         *testing.T
	id        uuid.UUID
	authority *pki.Authority
	dir       string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, id: uuid.New(), dir: t.TempDir()}
	var err error
	c.authority, err = pki.NewAuthority(c.id, time.Hour, time.Now())
	c.must(err)
	c.must(pki.Write(c.dir, "ca", c.authority.Pair()))
	return c
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) store(role tlsauth.Role) *tlsauth.Store {
	c.t.Helper()
	r := pki.Request{Identity: tlsauth.Identity{Cluster: c.id, Role: role, Name: "x"}, Life: time.Hour}
	if role == tlsauth.Member {
		r.Hosts = []string{"127.0.0.1"}
	}
	pair, err := c.authority.Issue(r, time.Now())
	c.must(err)
	dir := c.t.TempDir()
	c.must(pki.Write(dir, "x", pair))
	ca, _ := pki.Paths(c.dir, "ca")
	certificate, key := pki.Paths(dir, "x")
	store, err := tlsauth.Open(tlsauth.Files{CA: ca, Certificate: certificate, Key: key}, nil)
	c.must(err)
	return store
}

// serve serves every call there is, guarded.
func (c *cluster) serve() string {
	c.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	c.must(err)
	guard := access.NewGuard(hclog.NewNullLogger())
	reached := func(_ any, stream grpc.ServerStream) error {
		id, err := tlsauth.FromContext(stream.Context())
		if err != nil {
			return err
		}
		return status.Error(codes.Aborted, "reached by "+id.String())
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(reached), grpc.Creds(c.store(tlsauth.Member).Server(guard.Refused)), guard.ServerOption())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(l) }()
	c.t.Cleanup(func() { s.Stop(); <-ended })
	return l.Addr().String()
}

func (c *cluster) connect(address string, role tlsauth.Role) *grpc.ClientConn {
	c.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c.store(role).Client(nil)))
	c.must(err)
	c.t.Cleanup(func() { conn.Close() })
	return conn
}
