// The atoll-netpol command enforces NetworkPolicies on one node.
//
// It runs inside the node's network namespace. Rules that are not its own hand
// it the first packet of each connection (never with --queue-bypass, so that
// nothing passes while it does not run):
//
//	iptables -I FORWARD -m conntrack ! --ctstate ESTABLISHED,RELATED \
//	    -j NFQUEUE --queue-num 100
//
// The state is negated because a connection whose entry was deleted may come
// back as INVALID, not NEW. The same rule in INPUT, for the pod range, covers
// what pods send to the node itself; sysctl net.bridge.bridge-nf-call-iptables=1
// covers pods of one bridge. SIG-Network's engine decides; when policies, pods
// or namespaces change, connections that are no longer allowed are cut.
//
// It fails closed: what cannot be read, or comes from or goes to an address of
// the pod ranges that no known pod has, is dropped.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const syncTimeout = 2 * time.Minute

type options struct {
	kubeconfig string
	node       string
	queue      uint
	podRanges  []netip.Prefix
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, parse()); err != nil {
		fmt.Fprintf(os.Stderr, "atoll-netpol: %v\n", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	klog.InitFlags(nil)
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "how to reach the cluster's API")
	flag.StringVar(&o.node, "node", "", "name of the node whose network namespace this is")
	flag.UintVar(&o.queue, "queue", 100, "number of the netfilter queue")
	flag.Func("pod-range", "addresses only pods have, such as 10.244.0.0/16; may be repeated or comma-separated", func(text string) error {
		for _, part := range strings.Split(text, ",") {
			prefix, err := netip.ParsePrefix(part)
			if err != nil {
				return err
			}
			o.podRanges = append(o.podRanges, prefix.Masked())
		}
		return nil
	})
	flag.Parse()
	return o
}

// run enforces until the context ends (nil) or it no longer can (the cause).
func run(ctx context.Context, o options) error {
	if o.node == "" || o.queue > 65535 {
		return errors.New("--node is needed, and --queue is at most 65535")
	}
	factory, err := connect(o.kubeconfig)
	if err != nil {
		return fmt.Errorf("%s: %w", o.kubeconfig, err)
	}
	judge, err := newJudge(factory, o.node, o.podRanges)
	if err != nil {
		return err
	}
	changed := watch(factory)
	factory.Start(ctx.Done())
	if err := awaitSync(ctx, factory); err != nil {
		return err
	}
	go cutForbidden(ctx, judge, changed)
	return serveQueue(ctx, judge, uint16(o.queue), func() {
		klog.InfoS("ready", "node", o.node, "queue", o.queue, "podRanges", o.podRanges)
	})
}

func connect(kubeconfig string) (informers.SharedInformerFactory, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.UserAgent = "atoll-netpol"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	// Field managers are most of a pod's bytes and decide nothing here.
	slim := informers.WithTransform(func(object any) (any, error) {
		if accessor, err := meta.Accessor(object); err == nil {
			accessor.SetManagedFields(nil)
		}
		return object, nil
	})
	return informers.NewSharedInformerFactoryWithOptions(client, 0, slim), nil
}

// awaitSync returns when everything is known; until then no packet is judged,
// so none passes.
func awaitSync(ctx context.Context, factory informers.SharedInformerFactory) error {
	limited, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	for kind, synced := range factory.WaitForCacheSync(limited.Done()) {
		if !synced {
			return fmt.Errorf("could not list %v from the API within %v", kind, syncTimeout)
		}
	}
	return nil
}
