/* Stands in for libedgetpu.so.1 in tests: a delegate that takes `edgetpu-custom-op` and computes
 * what edgecls.runtimes.fake does: the brighter its input, the higher the class.
 *
 * Built without TFLite's headers, from the part of its C interface that a delegate touches. What it
 * does wrong is told by the environment:
 *   STAND_IN_MODE     works, silent (refuses without a word), says (refuses with a message),
 *                     lost, hangs, crashes (in a run), hangs-at-load, crashes-at-load, untaken
 *   STAND_IN_AFTER    so many runs go well first
 *   STAND_IN_ONCE     a file: what goes wrong in a run does so once, and leaves this file
 *   STAND_IN_RUNTIME  the runtime's number (14)
 *   STAND_IN_DEVICES  one letter a device: u for USB, p for PCI Express ("u")
 *   STAND_IN_LOG      a file that gets a line for every option received
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
enum { OK = 0, FAILED = 1, FLOAT32 = 1, UINT8 = 3, INT8 = 9, MAPPED_CONSTANT = 1 };

typedef struct { int size, data[]; } Ints;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
  int type;
  union { void *raw; uint8_t *u8; int8_t *i8; float *f32; } data;
  Ints *dims;
  float scale;
  int32_t zero_point;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  Delegate *delegate;
  int buffer_handle;
  bool is_stale, is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const Ints *signature;
} Tensor;

typedef struct {
  Ints *inputs, *outputs, *intermediates, *temporaries;
  void *user_data, *builtin_data;
  const void *custom_data;
  int custom_size;
  Delegate *delegate;
} Node;

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profile)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *later_fields[24]; /* newer engines read further than this library was written for */
} Kernel;

struct Context {
  size_t tensors_size;
  int (*get_plan)(Context *, Ints **);
  Tensor *tensors;
  void *engine;
  int (*resize)(Context *, Tensor *, Ints *);
  void (*report)(Context *, const char *, ...);
  int (*add_tensors)(Context *, int, int *);
  int (*get_node)(Context *, int, Node **, Kernel **);
  int (*replace)(Context *, Kernel, const Ints *, Delegate *);
};

struct Delegate {
  void *data;
  int (*prepare)(Context *, Delegate *);
  void *copy_from, *copy_to, *free_buffer;
  int64_t flags;
  void *opaque;
  void *later_fields[8];
};

static long runs;

static const char *setting(const char *name, const char *usual) {
  const char *value = getenv(name);
  return value && *value ? value : usual;
}

static bool is_mode(const char *mode) { return !strcmp(setting("STAND_IN_MODE", "works"), mode); }

static void hang(void) {
  for (;;) sleep(1000);
}

static void crash(void) { raise(SIGSEGV); }

/* Whether this run goes wrong. */
static bool is_due(void) {
  const char *once = setting("STAND_IN_ONCE", "");
  if (runs++ < atol(setting("STAND_IN_AFTER", "0"))) return false;
  if (!*once) return true;
  if (!access(once, F_OK)) return false;
  FILE *mark = fopen(once, "w");
  if (mark) fclose(mark);
  return true;
}

static double brightness(const Tensor *image) {
  double sum = 0;
  size_t count = image->type == FLOAT32 ? image->bytes / 4 : image->bytes;
  for (size_t i = 0; i < count; i++)
    sum += image->type == FLOAT32 ? image->data.f32[i]
           : image->type == INT8  ? image->data.i8[i] + 128.0
                                  : image->data.u8[i];
  return sum / (double)count / 256;
}

static int run(Context *context, Node *node) {
  Tensor *image = &context->tensors[node->inputs->data[0]];
  Tensor *scores = &context->tensors[node->outputs->data[0]];
  if (!is_mode("works") && is_due()) {
    if (is_mode("hangs")) hang();
    if (is_mode("crashes")) crash();
    if (is_mode("lost")) {
      context->report(context, "stand-in: the device went away");
      return FAILED;
    }
  }
  size_t classes = scores->type == FLOAT32 ? scores->bytes / 4 : scores->bytes;
  size_t winner = (size_t)(brightness(image) * (double)classes);
  if (winner >= classes) winner = classes - 1;
  for (size_t i = 0; i < classes; i++) {
    if (scores->type == FLOAT32) scores->data.f32[i] = i == winner;
    else if (scores->type == INT8) scores->data.i8[i] = i == winner ? 127 : -128;
    else scores->data.u8[i] = i == winner ? 255 : 0;
  }
  return OK;
}

static void *start(Context *context, const char *data, size_t size) {
  (void)context, (void)data, (void)size;
  return NULL;
}
static void end(Context *context, void *data) { (void)context, (void)data; }
static int prepare_node(Context *context, Node *node) {
  (void)context, (void)node;
  return OK;
}

static int prepare(Context *context, Delegate *delegate) {
  Ints *plan;
  if (context->get_plan(context, &plan)) return FAILED;
  Ints *taken = calloc((size_t)plan->size + 1, sizeof(int));
  int size = plan->size, *nodes = malloc(sizeof(int) * (size_t)size);
  memcpy(nodes, plan->data, sizeof(int) * (size_t)size); /* the next calls may move the plan */
  for (int i = 0; i < size; i++) {
    Node *node;
    Kernel *kernel;
    if (context->get_node(context, nodes[i], &node, &kernel)) continue;
    if (kernel->custom_name && !strcmp(kernel->custom_name, "edgetpu-custom-op"))
      taken->data[taken->size++] = nodes[i];
  }
  Kernel kernel = {.init = start, .free = end, .prepare = prepare_node, .invoke = run,
                   .custom_name = "StandIn", .version = 1};
  int status = OK;
  if (taken->size && !is_mode("untaken")) status = context->replace(context, kernel, taken, delegate);
  free(nodes);
  free(taken);
  return status;
}

/* The C interface of libedgetpu. */

struct edgetpu_device { int type; const char *path; };

PUBLIC const char *edgetpu_version(void) {
  static char text[64];
  snprintf(text, sizeof text, "BuildLabel(stand-in), RuntimeVersion(%s)",
           setting("STAND_IN_RUNTIME", "14"));
  return text;
}

PUBLIC struct edgetpu_device *edgetpu_list_devices(size_t *count) {
  const char *letters = getenv("STAND_IN_DEVICES");
  if (!letters) letters = "u";
  *count = strlen(letters);
  struct edgetpu_device *devices = calloc(*count + 1, sizeof *devices);
  for (size_t i = 0; i < *count; i++) {
    devices[i].type = letters[i] == 'u';
    devices[i].path = letters[i] == 'u' ? "/sys/bus/usb/devices/2-1" : "/dev/apex_0";
  }
  return devices;
}

PUBLIC void edgetpu_free_devices(struct edgetpu_device *devices) { free(devices); }

/* The interface of TFLite's delegates. */

PUBLIC Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                               void (*report)(const char *)) {
  FILE *log = *setting("STAND_IN_LOG", "") ? fopen(getenv("STAND_IN_LOG"), "a") : NULL;
  for (size_t i = 0; log && i < count; i++) fprintf(log, "%s=%s\n", keys[i], values[i]);
  if (log) fclose(log);
  if (is_mode("silent")) return NULL; /* so does the real one where there is no device */
  if (is_mode("says")) {
    report("stand-in: the device is busy");
    return NULL;
  }
  if (is_mode("hangs-at-load")) hang();
  if (is_mode("crashes-at-load")) crash();
  Delegate *delegate = calloc(1, sizeof *delegate);
  delegate->prepare = prepare;
  delegate->flags = 1; /* tensors of varying size are allowed */
  return delegate;
}

PUBLIC void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
