"""containerd's complete configuration as text; pure.

Version 2 of the format, because 1.6 (bookworm) and 1.7 (trixie) refuse version 3, and 2.x reads
both. A runtime's table replaces the built-in one, so runtime_type must be said again.
"""

# kubeadm's pause image by minor: Kubernetes PR 138199 (1.36), constants.go (1.35).
PAUSE_OF_MINOR = {"1.35": "3.10.1", "1.36": "3.10.2", "1.37": "3.10.2"}


def pause_image(version: str) -> str:
    """For `v1.36.3`: the sandbox image that kubeadm of that version expects."""
    minor = ".".join(version.lstrip("v").split(".")[:2])
    return f"registry.k8s.io/pause:{PAUSE_OF_MINOR[minor]}"


def config_toml(version: str, can_lower_oom_score: bool) -> str:
    cri = "io.containerd.grpc.v1.cri"
    runc = f'plugins."{cri}".containerd.runtimes.runc'
    # runc cannot start a container that asks for a lower score than we may give
    restrict = "" if can_lower_oom_score else "  restrict_oom_score_adj = true\n"
    return f"""\
# Written by kubepi. Registry mirrors go to /etc/containerd/certs.d, without a restart.
version = 2

[plugins."{cri}"]
  sandbox_image = "{pause_image(version)}"
{restrict}
[plugins."{cri}".cni]
  bin_dir = "/opt/cni/bin"
  conf_dir = "/etc/cni/net.d"
  max_conf_num = 1

[plugins."{cri}".registry]
  config_path = "/etc/containerd/certs.d"

[plugins."{cri}".containerd]
  snapshotter = "overlayfs"

[{runc}]
  runtime_type = "io.containerd.runc.v2"

[{runc}.options]
  SystemdCgroup = true
"""
