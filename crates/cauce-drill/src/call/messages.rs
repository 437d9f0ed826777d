//! `struct msghdr` and control messages.

use super::buffers::{buffers, member, only};
use super::lower::{Lowered, Setting};
use super::{Buffer, WantedControl, WantedData};
use crate::ast::{Expr, Spanned};

type Arg = Spanned<Expr>;

/// What the script says about a message.
pub(super) struct Message<'a> {
    pub buffers: Vec<Buffer>,
    pub flags: Option<i32>,
    pub control: Option<&'a Arg>,
}

/// `{msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0, msg_control=[…]}`.
pub(super) fn message<'a>(arg: &'a Arg, s: &Setting<'_>) -> Lowered<Message<'a>> {
    let Expr::Struct(fields) = &arg.value else {
        return s.refuse(
            &arg.span,
            "a message is written `{msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}`",
        );
    };
    only(fields, &["msg_name", "msg_iov", "msg_flags", "msg_control"], s)?;
    let iov = fields.iter().find(|field| field.name.as_ref().is_some_and(|name| name.value == "msg_iov"));
    let Some(iov) = iov else {
        return s.refuse(&arg.span, "`msg_iov(N)=` is missing");
    };
    let buffers = buffers(&iov.value, iov.argument.as_deref(), s)?;
    let flags = member(fields, "msg_flags").map(|flags| s.c_int(flags)).transpose()?;
    Ok(Message { buffers, flags, control: member(fields, "msg_control") })
}

/// `[{cmsg_level=…, cmsg_type=…, cmsg_data=…}]`.
pub(super) fn control_messages(arg: &Arg, s: &Setting<'_>) -> Lowered<Vec<WantedControl>> {
    let Expr::List(items) = &arg.value else {
        return s
            .refuse(&arg.span, "control messages are written `[{cmsg_level=…, cmsg_type=…, cmsg_data=…}]`");
    };
    items.iter().map(|item| control(item, s)).collect()
}

fn control(item: &Arg, s: &Setting<'_>) -> Lowered<WantedControl> {
    let Expr::Struct(fields) = &item.value else {
        return s
            .refuse(&item.span, "a control message is written `{cmsg_level=…, cmsg_type=…, cmsg_data=…}`");
    };
    only(fields, &["cmsg_level", "cmsg_type", "cmsg_data"], s)?;
    let (Some(level), Some(kind)) = (member(fields, "cmsg_level"), member(fields, "cmsg_type")) else {
        return s.refuse(&item.span, "cmsg_level and cmsg_type are needed");
    };
    let data = match member(fields, "cmsg_data") {
        None => WantedData::Any,
        Some(data) => self::data(data, s)?,
    };
    Ok(WantedControl { level: s.c_int(level)?, kind: s.c_int(kind)?, data })
}

fn data(arg: &Arg, s: &Setting<'_>) -> Lowered<WantedData> {
    let fields = match &arg.value {
        Expr::Ellipsis => return Ok(WantedData::Any),
        Expr::Struct(fields) => fields,
        _ => return Ok(WantedData::Int(s.c_int(arg)?)),
    };
    if let (Some(seconds), Some(nanos)) = (member(fields, "scm_sec"), member(fields, "scm_nsec")) {
        only(fields, &["scm_sec", "scm_nsec"], s)?;
        let whole = s.number(seconds)?.checked_mul(1_000_000_000);
        return match whole.and_then(|whole| whole.checked_add(s.number(nanos).ok()?)) {
            Some(time) => Ok(WantedData::Time(time)),
            None => s.refuse(&arg.span, "this time is too long"),
        };
    }
    only(fields, &["ee_errno", "ee_origin", "ee_type", "ee_code", "ee_info", "ee_data"], s)?;
    let find = |name| match member(fields, name) {
        Some(value) => s.number(value),
        None => s.refuse(&arg.span, format!("`{name}=` is missing")),
    };
    Ok(WantedData::ExtendedError {
        errno: find("ee_errno")? as u32,
        origin: find("ee_origin")? as u8,
        kind: find("ee_type")? as u8,
        code: find("ee_code")? as u8,
        info: find("ee_info")? as u32,
        data: find("ee_data")? as u32,
    })
}
