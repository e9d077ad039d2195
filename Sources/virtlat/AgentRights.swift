// What the agent gives up before it listens: whoever gets hold of it from the network has a tracer, and not the
// machine.

import LinuxSystem
import Recording

enum AgentRights {
    /// Drops all rights that are not needed, and starts the guard in between, since no program can be started
    /// afterwards.
    ///
    /// tracefs' files, /proc/locks and /dev/ptp* need user id 0, which stays, and no capability. What does:
    /// /proc/kallsyms shows addresses to CAP_SYSLOG where kptr_restrict is 1; the rate of the TSC comes from a perf
    /// event of our own, which some kernels give to CAP_PERFMON only (perf_event_paranoid above 2). The spool's folder
    /// has to be root's.
    ///
    /// Rights are a thread's own, and glibc spreads changed user ids over threads, but no capabilities. So this is done
    /// while there is one thread.
    /// - Parameters:
    ///   - port: what the agent is going to listen on.
    ///   - note: told of what could not be dropped, which is no reason not to go on.
    static func drop(port: Int, note: (String) -> Void) -> Guard? {
        if !Rights.concernOneThread { note("it had threads from the start, and they keep all rights") }
        let needed: Capabilities = [.performanceMonitoring, .systemLog]
        attempt(note, "programs that it starts may have more rights") { () throws(SystemError) in try Rights.forbidNew()
        }
        attempt(note, "capabilities that it does not need stay in reach") { () throws(SystemError) in
            try Rights.keepOnly(port < 1024 ? needed.union(.bindService) : needed)
        }
        var watch: Guard?
        attempt(note, "nobody tidies up if it is killed") { () throws(SystemError) in watch = try Guard() }
        attempt(note, "all system calls stay open to it") { () throws(SystemError) in try Rights.denySystemCalls() }
        return watch
    }

    private static func attempt(_ note: (String) -> Void, _ loss: String, _ body: () throws(SystemError) -> Void) {
        do throws(SystemError) { try body() } catch { note("\(loss): \(error.call): \(error.text)") }
    }
}
