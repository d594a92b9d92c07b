/*
 * A reader of JSON that copies nothing: a value is a slice of the text, which goes on to the engine as it stands. The
 * text must be sound JSON that ends with NUL.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *start; /* NULL where there is no such value */
    size_t length;
} json;

static inline const char *json_space(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' || *at == ',' || *at == ':')
        at++;
    return at;
}

/* The end of the value that starts here. Brackets are counted outside of strings. */
static inline const char *json_end(const char *at)
{
    int depth = 0;
    do {
        if (*at == '"') {
            for (at++; *at != '"' && *at != '\0'; at++)
                if (*at == '\\' && at[1] != '\0')
                    at++;
            at += *at == '"';
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (depth == 0) {
            while (*at != '\0' && strchr(",:]} \t\r\n", *at) == NULL)
                at++;
        } else {
            at++;
        }
    } while (depth > 0 && *at != '\0');
    return at;
}

static inline json json_of(const char *text)
{
    json value = {json_space(text), 0};
    value.length = (size_t)(json_end(value.start) - value.start);
    return value;
}

static inline bool json_is(json value, const char *text)
{
    return value.start != NULL && value.length == strlen(text) && memcmp(value.start, text, value.length) == 0;
}

/* The item of a list, or nothing beyond its end. */
static inline json json_item(json list, size_t index)
{
    json nothing = {NULL, 0};
    if (list.start == NULL || *list.start != '[')
        return nothing;
    const char *at = json_space(list.start + 1);
    while (*at != ']' && *at != '\0') {
        const char *end = json_end(at);
        if (index-- == 0) {
            json item = {at, (size_t)(end - at)};
            return item;
        }
        at = json_space(end);
    }
    return nothing;
}

/* The key and the value of an object's member by place, or nothing beyond its end. */
static inline json json_pair(json object, size_t index, json *key)
{
    json nothing = {NULL, 0};
    if (object.start == NULL || *object.start != '{')
        return nothing;
    const char *at = json_space(object.start + 1);
    while (*at != '}' && *at != '\0') {
        const char *key_end = json_end(at);
        const char *value = json_space(key_end);
        const char *value_end = json_end(value);
        if (index-- == 0) {
            key->start = at;
            key->length = (size_t)(key_end - at);
            json found = {value, (size_t)(value_end - value)};
            return found;
        }
        at = json_space(value_end);
    }
    return nothing;
}

/* The value of an object's key, which must need no escapes; nothing where it is left out. */
static inline json json_member(json object, const char *name)
{
    json key = {NULL, 0};
    for (size_t index = 0;; index++) {
        json value = json_pair(object, index, &key);
        if (value.start == NULL)
            return value;
        if (key.length == strlen(name) + 2 && memcmp(key.start + 1, name, key.length - 2) == 0)
            return value;
    }
}

static inline void json_put_utf8(char **out, unsigned long code)
{
    char *at = *out;
    if (code < 0x80) {
        *at++ = (char)code;
    } else if (code < 0x800) {
        *at++ = (char)(0xC0 | (code >> 6));
        *at++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *at++ = (char)(0xE0 | (code >> 12));
        *at++ = (char)(0x80 | ((code >> 6) & 0x3F));
        *at++ = (char)(0x80 | (code & 0x3F));
    } else {
        *at++ = (char)(0xF0 | (code >> 18));
        *at++ = (char)(0x80 | ((code >> 12) & 0x3F));
        *at++ = (char)(0x80 | ((code >> 6) & 0x3F));
        *at++ = (char)(0x80 | (code & 0x3F));
    }
    *out = at;
}

static inline unsigned long json_hex(const char *digits)
{
    char text[5] = {digits[0], digits[1], digits[2], digits[3], '\0'};
    return strtoul(text, NULL, 16);
}

/* A string's text without quotes and escapes, to be freed; NULL for what is no string. */
static inline char *json_text(json value)
{
    if (value.start == NULL || *value.start != '"')
        return NULL;
    char *text = (char *)malloc(value.length);
    if (text == NULL)
        exit(1);
    char *out = text;
    const char *end = value.start + value.length - 1;
    for (const char *at = value.start + 1; at < end; at++) {
        if (*at != '\\') {
            *out++ = *at;
            continue;
        }
        const char *plain = strchr("b\bf\fn\nr\rt\t", *++at);
        if (*at == 'u') {
            unsigned long code = json_hex(at + 1);
            at += 4;
            if (code >= 0xD800 && code < 0xDC00 && at + 6 < end) {
                code = 0x10000 + ((code - 0xD800) << 10) + (json_hex(at + 3) - 0xDC00);
                at += 6;
            }
            json_put_utf8(&out, code);
        } else {
            *out++ = plain != NULL && *at >= 'a' ? plain[1] : *at;
        }
    }
    *out = '\0';
    return text;
}

/* A whole number; 0 for what is none. */
static inline unsigned long long json_number(json value)
{
    return value.start == NULL ? 0 : strtoull(value.start, NULL, 10);
}

/* Text that grows. */
typedef struct {
    char *text;
    size_t length, room;
} buffer;

static inline void buffer_add(buffer *to, const char *text, size_t length)
{
    if (to->length + length + 1 > to->room) {
        to->room = (to->length + length + 1) * 2;
        to->text = (char *)realloc(to->text, to->room);
        if (to->text == NULL)
            exit(1);
    }
    memcpy(to->text + to->length, text, length);
    to->length += length;
    to->text[to->length] = '\0';
}

/* Adds a string with quotes and the escapes that JSON must have. */
static inline void buffer_add_string(buffer *to, const char *text)
{
    buffer_add(to, "\"", 1);
    for (; *text != '\0'; text++) {
        char escaped[7];
        if (*text == '"' || *text == '\\')
            buffer_add(to, "\\", 1);
        if ((unsigned char)*text < 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*text);
            buffer_add(to, escaped, 6);
        } else {
            buffer_add(to, text, 1);
        }
    }
    buffer_add(to, "\"", 1);
}

#endif
