/*
 * A PKCS#11 module for tests. It forwards to the module that COUNTERSIGN_FAULT_MODULE
 * names and misbehaves where the file COUNTERSIGN_FAULT_CONTROL says so. The file is
 * read again at every call. One rule a line:
 *
 *     function from count action [value]
 *
 * applies to the count calls of the function that start with number from (in this
 * process, from 1). Actions:
 *     ckr 0x30    return this code, without a call to the real module
 *     hang        never return
 *     delay 200   wait so many milliseconds first
 *     crash       abort the process
 *     closeall    close all sessions of the token first
 *     flip        call the real module, then flip a bit of what it signed
 *     flags 0x40  call the real module, then set these flags of the token
 *     lacks 0x40  call the real module, then leave this mechanism out of its list
 * Each call appends the function's name to the file COUNTERSIGN_FAULT_LOG. A signature is two
 * calls: of C_Sign, and of C_Sign:LABEL, which only its key's signatures are.
 */
#define CK_PTR *
#define NULL_PTR 0
#define CK_DEFINE_FUNCTION(type, name) type name
#define CK_DECLARE_FUNCTION(type, name) type name
#define CK_DECLARE_FUNCTION_POINTER(type, name) type(*name)
#define CK_CALLBACK_FUNCTION(type, name) type(*name)
#include "pkcs11.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static CK_FUNCTION_LIST_PTR real;
static CK_FUNCTION_LIST ours;
static CK_SLOT_ID slot; /* of the last session that was opened */

struct fault {
	char action[16];
	unsigned long value;
};

static void note(const char *function) {
	const char *path = getenv("COUNTERSIGN_FAULT_LOG");
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
	if (fd < 0)
		return;
	dprintf(fd, "%s\n", function);
	close(fd);
}

/* look finds the fault for this call and carries out what comes before the call. */
static struct fault look(const char *function, unsigned long call) {
	struct fault none = {"", 0};
	const char *path = getenv("COUNTERSIGN_FAULT_CONTROL");
	FILE *f = path ? fopen(path, "r") : NULL;
	char line[160], name[64], action[16], value[32];
	unsigned long from, count;

	note(function);
	while (f && fgets(line, sizeof line, f)) {
		value[0] = 0;
		if (sscanf(line, "%63s %lu %lu %15s %31s", name, &from, &count, action, value) < 4)
			continue;
		if (strcmp(name, function) || call < from || call - from >= count)
			continue;
		strcpy(none.action, action);
		none.value = strtoul(value, NULL, 0);
		break;
	}
	if (f)
		fclose(f);
	if (!strcmp(none.action, "hang"))
		for (;;)
			pause();
	if (!strcmp(none.action, "crash"))
		abort();
	if (!strcmp(none.action, "delay"))
		usleep(none.value * 1000);
	if (!strcmp(none.action, "closeall"))
		real->C_CloseAllSessions(slot);
	return none;
}

#define FAULT(function)                                            \
	static unsigned long calls;                                \
	struct fault f = look(#function, __sync_add_and_fetch(&calls, 1)); \
	if (!strcmp(f.action, "ckr"))                              \
		return f.value;

static CK_RV initialize(CK_VOID_PTR args) {
	FAULT(C_Initialize)
	return real->C_Initialize(args);
}

static CK_RV finalize(CK_VOID_PTR reserved) {
	FAULT(C_Finalize)
	return real->C_Finalize(reserved);
}

static CK_RV get_token_info(CK_SLOT_ID id, CK_TOKEN_INFO_PTR info) {
	FAULT(C_GetTokenInfo)
	CK_RV rv = real->C_GetTokenInfo(id, info);
	if (rv == CKR_OK && !strcmp(f.action, "flags"))
		info->flags |= f.value;
	return rv;
}

static CK_RV get_mechanism_list(CK_SLOT_ID id, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR n) {
	if (!list) /* asks for the length alone: no call that counts */
		return real->C_GetMechanismList(id, list, n);
	FAULT(C_GetMechanismList)
	CK_RV rv = real->C_GetMechanismList(id, list, n);
	if (rv != CKR_OK || strcmp(f.action, "lacks"))
		return rv;
	CK_ULONG kept = 0;
	for (CK_ULONG i = 0; i < *n; i++)
		if (list[i] != f.value)
			list[kept++] = list[i];
	*n = kept;
	return rv;
}

static CK_RV open_session(CK_SLOT_ID id, CK_FLAGS flags, CK_VOID_PTR app, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR h) {
	FAULT(C_OpenSession)
	slot = id;
	return real->C_OpenSession(id, flags, app, notify, h);
}

static CK_RV login(CK_SESSION_HANDLE h, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG len) {
	FAULT(C_Login)
	return real->C_Login(h, user, pin, len);
}

static CK_RV generate_key_pair(CK_SESSION_HANDLE h, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public, CK_ULONG publics,
			       CK_ATTRIBUTE_PTR private, CK_ULONG privates, CK_OBJECT_HANDLE_PTR a, CK_OBJECT_HANDLE_PTR b) {
	FAULT(C_GenerateKeyPair)
	return real->C_GenerateKeyPair(h, mechanism, public, publics, private, privates, a, b);
}

/* The calls of C_Sign:LABEL of each session's key, by the session's handle. */
static struct {
	char call[64];
	unsigned long calls;
} signers[64];

static void remember(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE key) {
	char label[48];
	CK_ATTRIBUTE a = {CKA_LABEL, label, sizeof label - 1};

	if (real->C_GetAttributeValue(h, key, &a, 1) != CKR_OK)
		a.ulValueLen = 0;
	label[a.ulValueLen] = 0;
	snprintf(signers[h % 64].call, sizeof signers[0].call, "C_Sign:%s", label);
}

static CK_RV sign_init(CK_SESSION_HANDLE h, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
	FAULT(C_SignInit)
	CK_RV rv = real->C_SignInit(h, mechanism, key);
	if (rv == CKR_OK)
		remember(h, key);
	return rv;
}

static CK_RV sign(CK_SESSION_HANDLE h, CK_BYTE_PTR data, CK_ULONG n, CK_BYTE_PTR sig, CK_ULONG_PTR len) {
	if (!sig) /* asks for the length alone: no call that counts */
		return real->C_Sign(h, data, n, sig, len);
	FAULT(C_Sign)
	f = f.action[0] ? f : look(signers[h % 64].call, __sync_add_and_fetch(&signers[h % 64].calls, 1));
	if (!strcmp(f.action, "ckr"))
		return f.value;
	CK_RV rv = real->C_Sign(h, data, n, sig, len);
	if (rv == CKR_OK && *len && !strcmp(f.action, "flip"))
		sig[*len - 1] ^= 1;
	return rv;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
	const char *path = getenv("COUNTERSIGN_FAULT_MODULE");
	void *module = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	CK_C_GetFunctionList get = module ? (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList") : NULL;

	if (!get || get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	ours = *real;
	ours.C_Initialize = initialize;
	ours.C_Finalize = finalize;
	ours.C_GetTokenInfo = get_token_info;
	ours.C_GetMechanismList = get_mechanism_list;
	ours.C_OpenSession = open_session;
	ours.C_Login = login;
	ours.C_GenerateKeyPair = generate_key_pair;
	ours.C_SignInit = sign_init;
	ours.C_Sign = sign;
	*list = &ours;
	return CKR_OK;
}
