"""Why the energy of a component is estimated on a host, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from green_optuna.doctor.machine import Host

# Since CVE-2020-8694 (PLATYPUS, https://platypusattack.com) Linux lets only root read these files:
# they give away what runs beside. The rule is applied as each zone appears, at every start.
_GRANT = "sudo chmod a+r {powercap}/*/energy_uj"
_RULE = (
    'SUBSYSTEM=="powercap", ACTION=="add", TEST=="energy_uj", '
    'RUN+="/bin/chmod a+r /sys%p/energy_uj"'
)
_GRANT_FOR_GOOD = (
    f"echo '{_RULE}' | sudo tee /etc/udev/rules.d/70-rapl-readable.rules",
    "sudo udevadm control --reload-rules",
    "sudo udevadm trigger --subsystem-match=powercap --action=add",
)
# What undoes that runtimes mask the counters (Moby's advisory GHSA-jq35-85cj-fj4p).
_UNMASK = (
    "docker run --security-opt systempaths=unconfined ...",
    "podman run --security-opt unmask=/sys/devices/virtual/powercap ...",
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a component's energy is not measured.

    Attributes:
        why: What stands in the way.
        remedy: What would mend it.
        commands: The lines to type for it, in order.
    """

    why: str
    remedy: str
    commands: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for JSON."""
        return {"why": self.why, "remedy": self.remedy, "commands": list(self.commands)}


def why_cpu_is_estimated(host: Host) -> tuple[Reason, ...]:
    """Say why a processor's energy counter is not read on a host.

    Args:
        host: What the host shows of itself; that its processor is not measured is known.
    """
    if host.system != "Linux":
        return (_on_other_systems(host),)
    if host.counters:
        return (_of_unread_counters(host),)
    if host.virtual:
        return (
            Reason(
                f"This is a virtual machine ({host.virtual}), and its hypervisor shows it no "
                "energy counter.",
                "Nothing inside the machine mends it: run on the bare machine, or rent one that "
                "is bare metal. MeterOptions(cpu_power_w=...) makes the estimate a better one, "
                "where you know the processor's rated power.",
            ),
        )
    if host.container or host.hidden:
        where = (
            f"This is a container ({host.container})" if host.container else "Counters are named"
        )
        return (
            Reason(
                f"{where}, and the counters' files in {host.powercap} are not there: since 2023 "
                "the runtimes of containers hide them, for CVE-2020-8694.",
                "Start the container one of these ways; Docker then shows other hidden paths as "
                "well. Nothing inside it mends it.",
                _UNMASK,
            ),
        )
    return (_of_no_counters(host),)


def why_gpu_is_not_measured(host: Host) -> tuple[Reason, ...]:
    """Say why no GPU is counted on a host that has one; nothing where it has none.

    Args:
        host: What the host shows of itself.
    """
    if not host.gpu_makers:
        return ()
    visible = host.cuda_visible_devices
    if visible is not None and (not visible.strip() or visible.strip().startswith("-")):
        return (
            Reason(
                f"CUDA_VISIBLE_DEVICES is {visible!r}, which shows no GPU to this process.",
                "Unset it, or name in it the GPUs that the trials use.",
            ),
        )
    reasons = []
    if "NVIDIA" in host.gpu_makers and host.nvml_fault is not None:
        reasons.append(
            Reason(
                f"There is a GPU of NVIDIA's, and {host.nvml_fault}.",
                "Install the driver and the package, and hand the GPU to the container where this "
                "is one (docker run --gpus all ...); nvidia-smi must list it as this user.",
                ("pip install nvidia-ml-py", "nvidia-smi"),
            )
        )
    if "AMD" in host.gpu_makers:
        reasons.append(
            Reason(
                "There is a GPU of AMD's, and CodeCarbon does not read it.",
                "Install ROCm with its Python package amdsmi, of the same version as the driver.",
            )
        )
    return tuple(reasons) or (
        Reason(
            "There is a GPU whose counter can be had, and CodeCarbon does not count it.",
            "Check MeterOptions(gpu_ids=...), where you give them.",
        ),
    )


def why_ram_is_estimated() -> tuple[Reason, ...]:
    """Say why the memory's energy is not measured."""
    return (
        Reason(
            "The memory's energy is a constant power times the time: it has no counter that is "
            "read.",
            "Pass MeterOptions(ram_power_w=...) where you know its power.",
        ),
    )


def _on_other_systems(host: Host) -> Reason:
    if host.system == "Darwin":
        return Reason(
            "On macOS CodeCarbon estimates from the processor's load, unless this is an Intel Mac "
            "on which Intel Power Gadget, or powermetrics through sudo without a password, works.",
            "Measure on Linux, on a bare machine; or pass MeterOptions(cpu_power_w=...).",
        )
    if host.system == "Windows":
        return Reason(
            "On Windows CodeCarbon reads the Energy Meter Interface, which takes Windows 11 on a "
            "bare machine, and finds none here.",
            "Measure on Windows 11 or on Linux, on a bare machine; or pass "
            "MeterOptions(cpu_power_w=...).",
        )
    return Reason(
        f"CodeCarbon reads no energy counter on {host.system}.",
        "Measure on Linux, on a bare machine; or pass MeterOptions(cpu_power_w=...).",
    )


def _of_unread_counters(host: Host) -> Reason:
    forbidden = [counter for counter in host.counters if counter.forbidden]
    if forbidden:
        where = " This is a container: type them on its host." if host.container else ""
        return Reason(
            f"RAPL's counters are there and may not be read: {forbidden[0].path} "
            f"({forbidden[0].fault}). Linux lets only root read them since CVE-2020-8694.",
            "The first line lets every user of this machine read them until it restarts; the "
            "other three do so for good. On a machine shared with people you do not trust, give "
            f"them to a group instead: they give away what runs beside.{where}",
            (_GRANT.format(powercap=host.powercap), *_GRANT_FOR_GOOD),
        )
    broken = [counter for counter in host.counters if counter.fault is not None]
    if broken:
        return Reason(
            f"RAPL's counters are there and give no number: {broken[0].path} ({broken[0].fault}).",
            "Restart the machine; where that does not help, its kernel or firmware is at fault.",
        )
    return Reason(
        f"RAPL's counters in {host.powercap} can be read, and CodeCarbon does not use them.",
        "It wants one whose name has 'package' in it. Where there is one, please report it with "
        "what this command says.",
    )


def _of_no_counters(host: Host) -> Reason:
    if host.machine in ("x86_64", "AMD64", "i686"):
        return Reason(
            f"There are no counters in {host.powercap}: the kernel has no driver loaded for them, "
            "or the processor none (Intel has them since 2011, AMD with Linux 5.8 since Zen).",
            "Load the driver; it stays unloaded at the next start unless it is named in "
            "/etc/modules-load.d.",
            (
                "sudo modprobe intel_rapl_msr",
                "echo intel_rapl_msr | sudo tee /etc/modules-load.d/rapl.conf",
            ),
        )
    return Reason(
        f"A processor of this kind ({host.machine}) has no counter that CodeCarbon reads.",
        "Pass MeterOptions(cpu_power_w=...) where you know its power.",
    )
