"""What the kit from source is built of: Go modules, pinned, and the packages made of them."""

from dataclasses import dataclass

KUBERNETES = "v1.36.3"
KUBERNETES_LIBRARIES = "v0.36.3"
# When that version was published; every file in the kit gets this time.
PUBLISHED = "2026-07-22T18:07:38Z"
REVISION = "1.1"


_PLUGINS = "github.com/containernetworking/plugins"
_VERSIONS = {
    "gitVersion": KUBERNETES,
    "gitMajor": KUBERNETES[1:].split(".")[0],
    "gitMinor": KUBERNETES[1:].split(".")[1],
    "gitTreeState": "clean",
    "gitCommit": "0" * 40,  # the published module does not say it
    "buildDate": PUBLISHED,
}


@dataclass(frozen=True)
class Part:
    """A main module with what it requires (PATH@VERSION) and the packages that are built in it.

    `own` are folders of kit-src, `packages` import paths; a program is named as its folder.
    `values` are string variables set by the linker. `copied` is a module whose main.go is built
    as a program of that name, without the imports of these packages.
    """

    name: str
    requires: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    copied: str = ""
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deb:
    """A Debian package: programs in one folder, and files of kit-src by where they go."""

    name: str
    version: str
    description: str
    programs: tuple[str, ...]
    folder: str = "usr/bin"
    depends: str = ""
    files: tuple[tuple[str, str], ...] = ()
    empty: tuple[str, ...] = ()


PARTS = (
    Part("pause", own=("pause",)),
    Part(
        "kubernetes",
        (f"k8s.io/kubernetes@{KUBERNETES}",),
        tuple(f"k8s.io/kubernetes/cmd/{name}" for name in ("kubeadm", "kubectl", "kubelet")),
        own=("servers",),
        values=tuple(
            (f"{package}.{name}", value)
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for name, value in _VERSIONS.items()
        ),
    ),
    Part(
        "etcd",
        tuple(f"go.etcd.io/etcd/{name}/v3@v3.6.8" for name in ("server", "etcdctl", "etcdutl")),
        tuple(f"go.etcd.io/etcd/{name}/v3" for name in ("server", "etcdctl", "etcdutl")),
    ),
    Part("coredns", ("github.com/coredns/coredns@v1.14.2",), ("github.com/coredns/coredns",)),
    # Not with the backends for Tencent's cloud, whose library cannot be had, and for UDP, which
    # needs a C compiler and which upstream itself leaves out on arm64.
    Part(
        "flannel",
        ("github.com/flannel-io/flannel@v0.28.4",),
        values=(("github.com/flannel-io/flannel/pkg/version.Version", "v0.28.4"),),
        copied="flanneld",
        without=("pkg/backend/tencentvpc", "pkg/backend/udp"),
    ),
    # flannel's own plugin is not published as a module; this is the last one from before it moved.
    Part(
        "flannel-plugin",
        (f"{_PLUGINS}@v0.9.1",),
        (f"{_PLUGINS}/plugins/meta/flannel",),
        values=((f"{_PLUGINS}/pkg/utils/buildversion.BuildVersion", "v0.9.1"),),
    ),
    Part(
        "plugins",
        (f"{_PLUGINS}@v1.9.1",),
        tuple(
            f"{_PLUGINS}/plugins/{name}"
            for name in (
                "ipam/host-local", "ipam/static", "main/bridge", "main/loopback", "main/ptp",
                "meta/bandwidth", "meta/firewall", "meta/portmap", "meta/tuning",
            )
        ),
        values=((f"{_PLUGINS}/pkg/utils/buildversion.BuildVersion", "v1.9.1"),),
    ),
    Part(
        "metrics-server",
        ("sigs.k8s.io/metrics-server@v0.9.0",),
        ("sigs.k8s.io/metrics-server/cmd/metrics-server",),
        values=(("k8s.io/client-go/pkg/version.gitVersion", "v0.9.0"),),
    ),
    Part(
        "local-path-provisioner",
        ("github.com/rancher/local-path-provisioner@v0.0.30",),
        ("github.com/rancher/local-path-provisioner",),
        values=(("main.VERSION", "v0.0.30"),),
    ),
)  # fmt: skip

_UNITS = "usr/lib/systemd/system"
DEBS = (
    Deb(
        "kubeadm", KUBERNETES[1:], "Kubernetes cluster bootstrap", ("kubeadm",),
        depends="kubelet (>= 1.30.0), kubectl (>= 1.30.0)",
        files=((f"{_UNITS}/kubelet.service.d/10-kubeadm.conf", "10-kubeadm.conf"),),
    ),
    Deb("kubectl", KUBERNETES[1:], "Kubernetes command line", ("kubectl",)),
    Deb(
        "kubelet", KUBERNETES[1:], "Kubernetes node agent", ("kubelet",),
        depends="iptables, kubernetes-cni (>= 1.2.0), mount, util-linux",
        files=((f"{_UNITS}/kubelet.service", "kubelet.service"),
               ("DEBIAN/postinst", "kubelet.postinst")),
        empty=("etc/kubernetes/manifests",),
    ),
    Deb(
        "kubernetes-cni", "1.9.1", "CNI plugins",
        ("bandwidth", "bridge", "firewall", "host-local", "loopback", "portmap", "ptp", "static",
         "tuning"),
        folder="opt/cni/bin",
    ),
)  # fmt: skip
