package main

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/network"
)

const (
	// cutDelay lets a burst of changes be one pass over the connections.
	cutDelay = 300 * time.Millisecond
	// cutInterval catches what no event told of.
	cutInterval = 5 * time.Minute
)

var protocols = map[uint8]v1.Protocol{
	unix.IPPROTO_TCP:  v1.ProtocolTCP,
	unix.IPPROTO_UDP:  v1.ProtocolUDP,
	unix.IPPROTO_SCTP: v1.ProtocolSCTP,
}

// watch gives a channel that has an element when policies, pods or namespaces
// changed in a way that may change a verdict. Call it before the factory starts.
func watch(factory informers.SharedInformerFactory) <-chan struct{} {
	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { note() },
		DeleteFunc: func(any) { note() },
		UpdateFunc: func(before, after any) {
			if matters(before, after) {
				note()
			}
		},
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Networking().V1().NetworkPolicies().Informer(),
		factory.Core().V1().Namespaces().Informer(),
		factory.Core().V1().Pods().Informer(),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			klog.ErrorS(err, "changes are only seen every", "interval", cutInterval)
		}
	}
	return changed
}

// matters leaves out the many updates of a pod's status that decide nothing.
func matters(before, after any) bool {
	older, isPod := before.(*v1.Pod)
	newer, stillPod := after.(*v1.Pod)
	if !isPod || !stillPod {
		return true
	}
	return !maps.Equal(older.Labels, newer.Labels) ||
		older.Status.Phase != newer.Status.Phase ||
		!slices.Equal(older.Status.PodIPs, newer.Status.PodIPs)
}

// cutForbidden deletes the kernel's entries of connections that the policies no
// longer allow, after each change: their next packet is judged as a first one is.
func cutForbidden(ctx context.Context, j *judge, changed <-chan struct{}) {
	for {
		cut, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, forbidden{ctx, j})
		if err != nil {
			klog.ErrorS(err, "connections that policies forbid may live on")
		} else if cut > 0 {
			klog.InfoS("cut connections that policies forbid", "count", cut)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(cutInterval):
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(cutDelay):
		}
	}
}

// forbidden matches the connections to delete.
type forbidden struct {
	ctx   context.Context //nolint:containedctx // lives for one pass
	judge *judge
}

// MatchConntrackFlow is true for a connection that is to be cut.
func (f forbidden) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	source, ok := netip.AddrFromSlice(flow.Forward.SrcIP)
	if !ok || f.judge.isLocal(source.Unmap()) {
		return false // the node's own (kubelet's probes) is under no policy
	}
	return !f.judge.allows(f.ctx, packetOf(flow))
}

// packetOf is the connection's first packet as the engine saw it: replies come
// from the pod that a service's address stood for. Other protocols have no ports.
func packetOf(flow *netlink.ConntrackFlow) *network.Packet {
	packet := network.Packet{Family: v1.IPv4Protocol, SrcIP: flow.Forward.SrcIP, DstIP: flow.Reverse.SrcIP}
	if protocol, known := protocols[flow.Forward.Protocol]; known {
		packet.Proto = protocol
		packet.SrcPort, packet.DstPort = int(flow.Forward.SrcPort), int(flow.Reverse.SrcPort)
	}
	return &packet
}
