package main

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kube-network-policies/pkg/network"
)

const (
	alice   = "10.244.1.11" // tenant a
	bob     = "10.244.1.12" // tenant b, under a policy that admits only b
	carol   = "10.244.1.13" // tenant b
	gone    = "10.244.1.14" // a finished pod of tenant a
	reused  = "10.244.1.15" // a finished pod of tenant a, then a starting one of b
	nobody  = "10.244.1.99"
	bridge  = "10.244.1.1"
	outside = "192.0.2.1"
)

func pod(namespace, name, ip string, phase v1.PodPhase) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1.PodSpec{NodeName: "n1"},
		Status:     v1.PodStatus{Phase: phase, PodIPs: []v1.PodIP{{IP: ip}}},
	}
}

// testJudge knows of what is listed above; no API is asked.
func testJudge(t *testing.T) *judge {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(&rest.Config{Host: "https://127.0.0.1:1"})
	factory := informers.NewSharedInformerFactory(client, 0)
	j, err := newJudge(factory, "n1", []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	j.isLocal = func(address netip.Addr) bool { return address.String() == bridge }
	own := []networking.NetworkPolicyPeer{{PodSelector: &meta.LabelSelector{}}}
	policy := &networking.NetworkPolicy{
		ObjectMeta: meta.ObjectMeta{Namespace: "b", Name: "own"},
		Spec: networking.NetworkPolicySpec{
			PolicyTypes: []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress},
			Ingress:     []networking.NetworkPolicyIngressRule{{From: own}},
			Egress:      []networking.NetworkPolicyEgressRule{{To: own}},
		},
	}
	if err := factory.Networking().V1().NetworkPolicies().Informer().GetIndexer().Add(policy); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*v1.Pod{
		pod("a", "alice", alice, v1.PodRunning),
		pod("b", "bob", bob, v1.PodRunning),
		pod("b", "carol", carol, v1.PodPending),
		pod("a", "gone", gone, v1.PodSucceeded),
		pod("a", "older", reused, v1.PodFailed),
		pod("b", "newer", reused, v1.PodPending),
	} {
		if err := factory.Core().V1().Pods().Informer().GetIndexer().Add(p); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

func TestVerdicts(t *testing.T) {
	j := testJudge(t)
	for _, c := range []struct {
		why, from, to string
		want          bool
	}{
		{"no policy selects either", alice, outside, true},
		{"the policy admits its own", carol, bob, true},
		{"the policy admits no one else", alice, bob, false},
		{"the policy lets no one out", bob, alice, false},
		{"out of the cluster neither", bob, outside, false},
		{"no pod has this source yet", nobody, outside, false},
		{"no pod has this destination", alice, nobody, false},
		{"a finished pod has no address", gone, outside, false},
		{"a reused address is the live pod's", reused, alice, false},
		{"the node's own address is no pod's", alice, bridge, true},
	} {
		for _, protocol := range []v1.Protocol{v1.ProtocolTCP, v1.ProtocolUDP, ""} {
			packet := &network.Packet{
				Family: v1.IPv4Protocol, Proto: protocol,
				SrcIP: net.ParseIP(c.from), DstIP: net.ParseIP(c.to), SrcPort: 40000, DstPort: 80,
			}
			if got := j.allows(context.Background(), packet); got != c.want {
				t.Errorf("%s: %s -> %s %q: allowed %v", c.why, c.from, c.to, protocol, got)
			}
		}
	}
}

func TestWhichConnectionsAreCut(t *testing.T) {
	j := testJudge(t)
	service := net.ParseIP("10.96.0.1")
	for _, c := range []struct {
		why, from, answers string
		want               bool
	}{
		{"forbidden, though it was opened to a service's address", alice, bob, true},
		{"allowed", carol, bob, false},
		{"the node's probes are under no policy", bridge, bob, false},
	} {
		for _, protocol := range []uint8{unix.IPPROTO_TCP, unix.IPPROTO_ICMP} {
			flow := &netlink.ConntrackFlow{
				Forward: netlink.IPTuple{SrcIP: net.ParseIP(c.from), DstIP: service, Protocol: protocol, SrcPort: 40000, DstPort: 80},
				Reverse: netlink.IPTuple{SrcIP: net.ParseIP(c.answers), DstIP: net.ParseIP(c.from), Protocol: protocol, SrcPort: 8080, DstPort: 40000},
			}
			if got := (forbidden{context.Background(), j}).MatchConntrackFlow(flow); got != c.want {
				t.Errorf("%s (protocol %d): cut %v", c.why, protocol, got)
			}
		}
	}
}

func TestOnlyWhatDecidesIsAChange(t *testing.T) {
	before := pod("a", "alice", alice, v1.PodRunning)
	same := before.DeepCopy()
	same.Status.StartTime = &meta.Time{}
	if matters(before, same) {
		t.Error("a pod's start time decides nothing")
	}
	labelled := before.DeepCopy()
	labelled.Labels = map[string]string{"role": "db"}
	if !matters(before, labelled) {
		t.Error("a pod's labels decide")
	}
	if !matters(&v1.Namespace{}, &v1.Namespace{}) {
		t.Error("a namespace's labels may decide")
	}
}
