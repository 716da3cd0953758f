/* A plugin for QEMU's user mode: counts the instructions that a program executes, at its marks.
 *
 * A mark is lseek(any descriptor, MARK_BASE + number, SEEK_SET). At each one a line
 * "number instructions" goes to the file that the option out=FILE names. Every thread counts.
 *
 * Declared here is the little of QEMU's plugin interface that is used: no package has its header.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifndef PLUGIN_VERSION
#define PLUGIN_VERSION 1 /* QEMU 4.2 to 8; from 9 on it is 2 */
#endif

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
typedef void (*on_translate)(plugin_id, struct qemu_plugin_tb *);
typedef void (*on_execute)(unsigned, void *);
typedef void (*on_syscall)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                           uint64_t, uint64_t, uint64_t, uint64_t);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, on_translate);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, on_execute, int, void *);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, on_syscall);

int qemu_plugin_version = PLUGIN_VERSION;

enum { LSEEK = 62 /* on arm64 */, NO_REGISTERS = 0, THREADS = 256 };
static const uint64_t MARK_BASE = 0x7e570000, MARKS = 64;
static uint64_t instructions[THREADS]; /* one each, so that none waits for another */
static FILE *out;

static void count(unsigned cpu, void *block_size)
{
    instructions[cpu % THREADS] += (uintptr_t)block_size;
}

static void translate(plugin_id id, struct qemu_plugin_tb *block)
{
    uintptr_t size = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, count, NO_REGISTERS, (void *)size);
}

static void note_mark(plugin_id id, unsigned cpu, int64_t number, uint64_t descriptor,
                      uint64_t offset, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                      uint64_t a7, uint64_t a8)
{
    if (number == LSEEK && offset - MARK_BASE < MARKS) {
        uint64_t total = 0;
        for (int thread = 0; thread < THREADS; thread++)
            total += instructions[thread];
        fprintf(out, "%" PRIu64 " %" PRIu64 "\n", offset - MARK_BASE, total);
        fflush(out);
    }
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
    if (out == NULL)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_vcpu_syscall_cb(id, note_mark);
    return 0;
}
